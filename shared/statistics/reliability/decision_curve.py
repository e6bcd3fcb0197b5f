"""Decision curves: what a model is worth to a clinic that biopsies from a stated risk on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.bootstrap import patient_draws
from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.errors import ProbabilityInvalid
from shared.statistics.reliability.calibration import shift_prior

BIOPSY_NONE = 0.0
"""Net benefit of biopsying nobody, at every threshold and prevalence."""
ASSUMED_PREVALENCE = 0.23
"""Fraction of malignant nodules in a clinic (K20), the default of the setting `prevalence`."""
THRESHOLDS = np.arange(1, 61) / 100
"""Nobody asks for a risk above 60 % before a fine-needle aspiration."""


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit of a biopsy of each case whose risk reaches a threshold; all arrays are (K,).

    The unit is true positives per case: 0.05 is worth as much as 5 malignant nodules found, and no
    benign one biopsied, among 100 cases.

    Attributes
    ----------
    prevalence : fraction of malignant cases at which the risks and the net benefit hold
    threshold : risks from which on a case is biopsied, inside (0, 1)
    net_benefit : of the model
    low, high : interval of `net_benefit` at each single threshold
    """

    prevalence: float
    threshold: Floats
    net_benefit: Floats
    low: Floats
    high: Floats

    @property
    def biopsy_all(self) -> Floats:
        """Net benefit (K,) of biopsying everybody. It depends on the prevalence only."""
        cost = _cost_of_false_positive(self.threshold)
        values: Floats = self.prevalence - (1 - self.prevalence) * cost
        return values

    @property
    def is_superior(self) -> Flags:
        """Flags (K,): the interval lies above biopsying everybody and above biopsying nobody."""
        flags: Flags = self.low > np.maximum(self.biopsy_all, BIOPSY_NONE)
        return flags


def decision_curve(
    risks: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike,
    *,
    prevalence: float,
    thresholds: ArrayLike = THRESHOLDS,
    level: float = 0.95,
) -> DecisionCurve:
    """Compute the net benefit of a model's risks by threshold, with its interval.

    At the threshold t, net benefit is prevalence * sensitivity - (1 - prevalence) *
    (1 - specificity) * t / (1 - t). At the prevalence of the cases themselves this is
    TP / N - FP / N * t / (1 - t). The prevalence counts as known. So the curve of biopsying
    everybody has no interval, and the interval of the model can be compared with it.

    The interval holds percentiles over bootstrap draws of whole patients. Draws that lack a class
    are ignored.

    Parameters
    ----------
    risks : (N,) fractions, calibrated at `prevalence` (`shift_prior` carries them there)
    labels : (N,) bool or 0/1, 1 = malignant; both classes
    clusters : (N,) names of patients; images with the same name are drawn together
    prevalence : fraction of malignant cases, inside (0, 1); it may differ from that of `labels`
    thresholds : (K,) fractions, inside (0, 1)
    level : confidence at each threshold, 0.95 for 95 %

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid, SingleClass

    Source: Vickers & Elkin, Med Decis Making 26:565 (2006); prevalence from elsewhere and the
    bootstrap, Vickers, Cronin, Elkin & Gonen, BMC Med Inform Decis Mak 8:53 (2008).
    """
    values, malignant = as_cases(risks, labels)
    limits = np.asarray(thresholds, dtype=np.float64)
    _check_fractions(values, limits, prevalence)
    is_biopsied = values[:, np.newaxis] >= limits
    net_benefits = _NetBenefit(is_biopsied, malignant, limits, prevalence)
    draws = [
        net_benefits.of_draws(counts)
        for counts in patient_draws(clusters, malignant.size)
    ]
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(np.concatenate(draws), tails, axis=0)
    each_image_once = np.ones((1, malignant.size), dtype=np.int64)
    return DecisionCurve(
        prevalence=prevalence,
        threshold=limits,
        net_benefit=net_benefits.of_draws(each_image_once)[0],
        low=low,
        high=high,
    )


def decision_curves(
    risks: ArrayLike, labels: ArrayLike, clusters: ArrayLike
) -> tuple[DecisionCurve, ...]:
    """Return the curves at the cases' own prevalence and at `ASSUMED_PREVALENCE`.

    Parameters
    ----------
    risks : (N,) fractions, calibrated at the prevalence of `labels`
    labels, clusters : (N,), as in `decision_curve`

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid, SingleClass
    """
    _, malignant = as_cases(risks, labels)
    own_prevalence = float(malignant.mean())
    return tuple(
        decision_curve(
            shift_prior(risks, own_prevalence, prevalence),
            labels,
            clusters,
            prevalence=prevalence,
        )
        for prevalence in (own_prevalence, ASSUMED_PREVALENCE)
    )


class _NetBenefit:
    """Net benefits of weighted cases, at each threshold."""

    def __init__(
        self, is_biopsied: Flags, malignant: Flags, limits: Floats, prevalence: float
    ) -> None:
        """`is_biopsied` is (N, K), `malignant` (N,), `limits` (K,)."""
        self._malignant = malignant
        self._true_positives = (is_biopsied & malignant[:, np.newaxis]).astype(float)
        self._false_positives = (is_biopsied & ~malignant[:, np.newaxis]).astype(float)
        self._gain = prevalence
        self._cost = (1 - prevalence) * _cost_of_false_positive(limits)

    def of_draws(self, counts: np.ndarray) -> Floats:
        """Return the net benefits (draws, K) of draws that have both classes.

        `counts` (draws, N) says how often each case is in each draw.
        """
        positives = counts @ self._malignant.astype(float)
        negatives = counts @ (~self._malignant).astype(float)
        has_both_classes = (positives > 0) & (negatives > 0)
        kept_counts = counts[has_both_classes]
        sensitivity = kept_counts @ self._true_positives
        sensitivity /= positives[has_both_classes, np.newaxis]
        false_positive_rate = kept_counts @ self._false_positives
        false_positive_rate /= negatives[has_both_classes, np.newaxis]
        values: Floats = self._gain * sensitivity - self._cost * false_positive_rate
        return values


def _cost_of_false_positive(threshold: Floats) -> Floats:
    """Return the odds (K,) of the thresholds: what a needless biopsy costs, in malignant nodules
    found.
    """
    odds: Floats = threshold / (1 - threshold)
    return odds


def _check_fractions(risks: Floats, limits: Floats, prevalence: float) -> None:
    if not np.all((risks >= 0) & (risks <= 1)):
        raise ProbabilityInvalid(what="A probability", where="between 0 and 1")
    is_open = (limits > 0) & (limits < 1)
    if limits.ndim != 1 or not limits.size or not is_open.all():
        raise ProbabilityInvalid(
            what="A threshold", where="between 0 and 1, both excluded"
        )
    if not 0 < prevalence < 1:
        raise ProbabilityInvalid(
            what="A prevalence", where="between 0 and 1, both excluded"
        )
