"""Confidence band of a ROC curve, by bootstrap over patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.bootstrap import patient_draws
from shared.statistics.cases import Flags, Floats, as_cases

FALSE_POSITIVE_RATES = np.linspace(0.0, 1.0, 51)
RATE_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class RocBand:
    """Sensitivities between `low` and `high` at each false positive rate; all arrays are (K,)."""

    false_positive_rate: Floats
    low: Floats
    high: Floats


def roc_band(
    scores: ArrayLike, labels: ArrayLike, clusters: ArrayLike, level: float = 0.95
) -> RocBand:
    """Return the pointwise confidence band of the ROC curve, from percentiles over bootstrap draws.

    Whole patients are drawn with replacement, so that several images of one patient do not count as
    independent. The band holds at each single false positive rate, not for the whole curve at once.
    Draws that lack a class are ignored.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant
    clusters : (N,) names of patients; images with the same name are drawn together
    level : confidence at each point, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: vertical averaging with percentiles, Fawcett, Pattern Recognit Lett 27:861 (2006); the
    cluster bootstrap, Rutter, Acad Radiol 7:413 (2000).
    """
    values, malignant = as_cases(scores, labels)
    sensitivities = _bootstrap_sensitivities(values, malignant, clusters)
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(sensitivities, tails, axis=0)
    return RocBand(false_positive_rate=FALSE_POSITIVE_RATES, low=low, high=high)


def _bootstrap_sensitivities(
    values: Floats, malignant: Flags, clusters: ArrayLike
) -> Floats:
    """Return the sensitivities (draws, K) at `FALSE_POSITIVE_RATES`.

    The same images give the same draws.
    """
    order = np.argsort(-values, kind="stable")
    # The last image of each distinct score, because a curve has one point for each score.
    ends = np.append(np.flatnonzero(np.diff(values[order])), values.size - 1)
    rows: list[Floats] = []
    for draws in patient_draws(clusters, malignant.size):
        image_counts = draws[:, order]
        true_positives = np.cumsum(image_counts * malignant[order], axis=1)[:, ends]
        false_positives = np.cumsum(image_counts * ~malignant[order], axis=1)[:, ends]
        for tp, fp in zip(true_positives, false_positives, strict=True):
            if tp[-1] and fp[-1]:
                rows.append(
                    _sensitivity_at_rates(
                        sensitivity=tp / tp[-1], false_positive_rate=fp / fp[-1]
                    )
                )
    return np.array(rows)


def _sensitivity_at_rates(
    *, sensitivity: Floats, false_positive_rate: Floats
) -> Floats:
    """Return the greatest sensitivity at each false positive rate of `FALSE_POSITIVE_RATES`."""
    positions = np.searchsorted(
        false_positive_rate, FALSE_POSITIVE_RATES + RATE_TOLERANCE, side="right"
    )
    return np.concatenate(([0.0], sensitivity))[positions]
