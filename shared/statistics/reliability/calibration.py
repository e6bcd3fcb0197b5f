"""Calibration: converts scores to probabilities of malignancy at a given prevalence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.errors import ProbabilityInvalid
from shared.statistics.intervals import Interval, wilson

MAX_STEPS = 100
TOLERANCE = 1e-10
RIDGE = 1e-12


@dataclass(frozen=True)
class Sigmoid:
    """Platt's calibration.

    The probability of malignancy is 1 / (1 + exp(-(slope * score + intercept))).
    """

    slope: float
    intercept: float

    def apply(self, scores: ArrayLike) -> Floats:
        """Convert scores of any shape to probabilities of the same shape."""
        return expit(self.slope * np.asarray(scores, dtype=np.float64) + self.intercept)


def fit_sigmoid(scores: ArrayLike, labels: ArrayLike) -> Sigmoid:
    """Fit Platt's sigmoid by maximum likelihood, on cases that the classifier was not fitted on.

    With P malignant and B benign cases, the targets are smoothed to (P + 1) / (P + 2) for malignant
    and 1 / (B + 2) for benign cases, so the fit stays finite if the classes do not overlap.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; both classes

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Platt (1999), by Newton's method with step halving as in Lin, Lin & Weng, Mach Learn
    68:267 (2007).
    """
    values, malignant = as_cases(scores, labels)
    targets = _smoothed_targets(malignant)
    if np.ptp(values) == 0:
        return Sigmoid(slope=0.0, intercept=float(logit(targets.mean())))
    centre = float(values.mean())
    spread = float(values.std())
    standardised = (values - centre) / spread
    slope, intercept = _maximise_likelihood(standardised, targets)
    return Sigmoid(slope=slope / spread, intercept=intercept - slope * centre / spread)


def shift_prior(
    probability: ArrayLike, from_prevalence: float, to_prevalence: float
) -> Floats:
    """Convert probabilities from one prevalence to another, by Bayes' rule on the odds.

    Parameters
    ----------
    probability : fractions of any shape, calibrated at `from_prevalence`
    from_prevalence, to_prevalence : fraction of malignant cases, inside (0, 1)

    Raises
    ------
    ProbabilityInvalid

    Source: Saerens, Latinne & Decaestecker, Neural Comput 14:21 (2002).
    """
    for prevalence in (from_prevalence, to_prevalence):
        if not 0 < prevalence < 1:
            raise ProbabilityInvalid(
                what="A prevalence", where="between 0 and 1, both excluded"
            )
    risks = _as_probabilities(probability)
    malignant = risks * (to_prevalence / from_prevalence)
    benign = (1 - risks) * ((1 - to_prevalence) / (1 - from_prevalence))
    return malignant / (malignant + benign)


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean squared distance between probability and outcome (Brier 1950); 0 is perfect.

    Parameters
    ----------
    probabilities : (N,) fractions
    labels : (N,) bool or 0/1, 1 = malignant

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid
    """
    risks, malignant = _as_risks_and_labels(probabilities, labels)
    return float(np.mean((risks - malignant) ** 2))


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10
) -> float:
    """Return the mean distance between stated risk and observed rate.

    The mean is taken over bins of equal width and weighted by their number of cases.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy
    labels : (N,) bool or 0/1, 1 = malignant
    bins : number of bins over 0 to 1

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid

    Source: Pakdaman Naeini, Cooper & Hauskrecht, AAAI (2015), for the positive class.
    """
    risks, malignant = _as_risks_and_labels(probabilities, labels)
    bin_numbers = _bin_numbers(risks, bins)
    gaps = np.bincount(bin_numbers, weights=risks - malignant, minlength=bins)
    return float(np.abs(gaps).sum() / risks.size)


@dataclass(frozen=True)
class CalibrationBin:
    """Cases with a stated risk from `low` up to `high`.

    The bin has their mean risk, and the observed rate of malignancy with its interval.
    """

    low: float
    high: float
    count: int
    malignant: int
    mean_probability: float
    observed: float
    interval: Interval


def calibration_curve(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, level: float = 0.95
) -> tuple[CalibrationBin, ...]:
    """Compute stated risk against observed rate, for a reliability plot.

    There is one point for each bin that has a case.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy
    labels : (N,) bool or 0/1, 1 = malignant
    bins : number of bins of equal width over 0 to 1; a case on an edge belongs to the upper bin
    level : confidence of Wilson's intervals, 0.95 for 95 %

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid
    """
    risks, malignant = _as_risks_and_labels(probabilities, labels)
    bin_numbers = _bin_numbers(risks, bins)
    curve = []
    for number in np.unique(bin_numbers):
        in_bin = bin_numbers == number
        curve.append(
            _calibration_bin(
                risks[in_bin],
                malignant[in_bin],
                low=float(number / bins),
                high=float((number + 1) / bins),
                level=level,
            )
        )
    return tuple(curve)


@dataclass(frozen=True)
class ObservedExpected:
    """The number of malignant cases against the sum of the stated risks.

    A `ratio` above 1 means that the risks are too low.
    """

    observed: int
    expected: float
    ratio: float
    interval: Interval


def observed_expected(
    probabilities: ArrayLike, labels: ArrayLike, level: float = 0.95
) -> ObservedExpected:
    """Compute the calibration in the large, as a ratio.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy; not all 0
    labels : (N,) bool or 0/1, 1 = malignant
    level : confidence, 0.95 for 95 %

    Returns
    -------
    ObservedExpected
        Its interval is Wilson's interval of the observed rate, divided by the mean risk. The mean
        risk is treated as known.

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid

    Source: Debray et al., BMJ 356:i6460 (2017), for the ratio.
    """
    risks, malignant = _as_risks_and_labels(probabilities, labels)
    observed = int(malignant.sum())
    count = malignant.size
    mean_risk = float(risks.mean())
    if mean_risk == 0:
        raise ProbabilityInvalid(what="The mean of the probabilities", where="above 0")
    rate = wilson(observed, count, level)
    return ObservedExpected(
        observed=observed,
        expected=mean_risk * count,
        ratio=observed / count / mean_risk,
        interval=Interval(low=rate.low / mean_risk, high=rate.high / mean_risk),
    )


def _calibration_bin(
    risks: Floats, malignant: Flags, *, low: float, high: float, level: float
) -> CalibrationBin:
    positives = int(malignant.sum())
    count = malignant.size
    return CalibrationBin(
        low=low,
        high=high,
        count=count,
        malignant=positives,
        mean_probability=float(risks.mean()),
        observed=positives / count,
        interval=wilson(positives, count, level),
    )


def _bin_numbers(risks: Floats, bins: int) -> np.ndarray:
    """Return the bin of each case (N,), from 0."""
    numbers: np.ndarray = np.minimum((risks * bins).astype(int), bins - 1)
    return numbers


def _as_risks_and_labels(
    probabilities: ArrayLike, labels: ArrayLike
) -> tuple[Floats, Flags]:
    risks = _as_probabilities(probabilities)
    return as_cases(risks, labels, min_per_class=0)


def _as_probabilities(values: ArrayLike) -> Floats:
    probabilities = np.asarray(values, dtype=np.float64)
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ProbabilityInvalid(what="A probability", where="between 0 and 1")
    return probabilities


def _smoothed_targets(malignant: Flags) -> Floats:
    positives = int(malignant.sum())
    negatives = malignant.size - positives
    malignant_target = (positives + 1) / (positives + 2)
    benign_target = 1 / (negatives + 2)
    return np.where(malignant, malignant_target, benign_target)


def _maximise_likelihood(values: Floats, targets: Floats) -> tuple[float, float]:
    """Return the slope and intercept for standardised values (N,) and smoothed targets (N,)."""
    design = np.column_stack([values, np.ones_like(values)])
    weights = np.array([0.0, logit(targets.mean())])
    for _ in range(MAX_STEPS):
        fitted = expit(design @ weights)
        gradient = design.T @ (fitted - targets)
        if np.abs(gradient).max() < TOLERANCE * values.size:
            break
        hessian = (design.T * (fitted * (1 - fitted))) @ design + RIDGE * np.eye(2)
        newton_step = np.linalg.solve(hessian, gradient)
        weights = _halving_step(design, targets, weights=weights, step=newton_step)
    return float(weights[0]), float(weights[1])


def _halving_step(
    design: Floats, targets: Floats, *, weights: Floats, step: Floats
) -> Floats:
    """Return the weights after the Newton step, which is halved until the loss no longer rises."""
    loss = _cross_entropy(design, targets, weights)
    while _cross_entropy(design, targets, weights - step) > loss + TOLERANCE:
        step = step / 2
    return weights - step


def _cross_entropy(design: Floats, targets: Floats, weights: Floats) -> float:
    """Return the cross-entropy of the targets, without overflow for any log-odds."""
    log_odds = design @ weights
    return float(np.sum(np.logaddexp(0, log_odds) - targets * log_odds))
