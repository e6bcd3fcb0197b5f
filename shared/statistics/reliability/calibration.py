"""From a score to a probability that means what it says, at the prevalence it is used at."""

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
    """Platt's calibration: probability of malignancy = 1 / (1 + exp(-(slope * score + intercept)))."""

    slope: float
    intercept: float

    def apply(self, scores: ArrayLike) -> Floats:
        """Scores of any shape -> probabilities of the same shape."""
        return expit(self.slope * np.asarray(scores, dtype=np.float64) + self.intercept)


def fit_sigmoid(scores: ArrayLike, labels: ArrayLike) -> Sigmoid:
    """Fit Platt's sigmoid by maximum likelihood, on cases that the classifier was not fitted on.

    Targets are smoothed to (P + 1) / (P + 2) for malignant and 1 / (B + 2) for benign cases, so the fit stays finite
    where the classes do not overlap.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; both classes

    Source: Platt (1999), by Newton's method with step halving as in Lin, Lin & Weng, Mach Learn 68:267 (2007).
    """
    values, malignant = as_cases(scores, labels)
    targets = _smoothed(malignant)
    if np.ptp(values) == 0:
        return Sigmoid(0.0, float(logit(targets.mean())))
    centre = float(values.mean())
    spread = float(values.std())
    slope, intercept = _maximise_likelihood((values - centre) / spread, targets)
    return Sigmoid(slope / spread, intercept - slope * centre / spread)


def shift_prior(
    probability: ArrayLike, from_prevalence: float, to_prevalence: float
) -> Floats:
    """Carry probabilities from the prevalence of the training cases to another, by Bayes' rule on the odds.

    Parameters
    ----------
    probability : fractions of any shape, calibrated at `from_prevalence`
    from_prevalence, to_prevalence : fraction of malignant cases, inside (0, 1)

    Source: Saerens, Latinne & Decaestecker, Neural Comput 14:21 (2002).
    """
    for prevalence in (from_prevalence, to_prevalence):
        if not 0 < prevalence < 1:
            raise ProbabilityInvalid(
                what="A prevalence", where="between 0 and 1, both excluded"
            )
    chances = _as_probabilities(probability)
    malignant = chances * (to_prevalence / from_prevalence)
    benign = (1 - chances) * ((1 - to_prevalence) / (1 - from_prevalence))
    return malignant / (malignant + benign)


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared distance between probability and outcome (Brier 1950); 0 is perfect.

    Parameters
    ----------
    probabilities : (N,) fractions
    labels : (N,) bool or 0/1, 1 = malignant
    """
    chances, malignant = as_cases(
        _as_probabilities(probabilities), labels, min_per_class=0
    )
    return float(np.mean((chances - malignant) ** 2))


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10
) -> float:
    """Mean distance between stated risk and observed rate over bins of equal width, weighted by their cases.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy
    labels : (N,) bool or 0/1, 1 = malignant
    bins : number of bins over 0 to 1

    Source: Pakdaman Naeini, Cooper & Hauskrecht, AAAI (2015), for the positive class.
    """
    chances, malignant = as_cases(
        _as_probabilities(probabilities), labels, min_per_class=0
    )
    place = _bin_of(chances, bins)
    gaps = np.bincount(place, weights=chances - malignant, minlength=bins)
    return float(np.abs(gaps).sum() / chances.size)


@dataclass(frozen=True)
class CalibrationBin:
    """Cases with a stated risk from `low` up to `high`: their mean risk, and the rate of malignancy with interval."""

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
    """Stated risk against observed rate, for a reliability plot: one point for each bin that holds a case.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy
    labels : (N,) bool or 0/1, 1 = malignant
    bins : number of bins of equal width over 0 to 1; a case on an edge counts above it
    level : confidence of Wilson's intervals, 0.95 for 95 %
    """
    chances, malignant = as_cases(
        _as_probabilities(probabilities), labels, min_per_class=0
    )
    place = _bin_of(chances, bins)
    return tuple(
        _bin(number, bins, chances[place == number], malignant[place == number], level)
        for number in np.unique(place)
    )


@dataclass(frozen=True)
class ObservedExpected:
    """Malignant cases found against the sum of the stated risks; a `ratio` above 1 means the risks are too low."""

    observed: int
    expected: float
    ratio: float
    interval: Interval


def observed_expected(
    probabilities: ArrayLike, labels: ArrayLike, level: float = 0.95
) -> ObservedExpected:
    """Calibration in the large, as a ratio.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy; not all 0
    labels : (N,) bool or 0/1, 1 = malignant
    level : confidence, 0.95 for 95 %

    Returns
    -------
    ObservedExpected
        Its interval is Wilson's of the observed rate over the mean risk, which is taken as known.

    Source: Debray et al., BMJ 356:i6460 (2017), for the ratio.
    """
    chances, malignant = as_cases(
        _as_probabilities(probabilities), labels, min_per_class=0
    )
    found = int(malignant.sum())
    count = malignant.size
    mean = float(chances.mean())
    if mean == 0:
        raise ProbabilityInvalid(what="The mean of the probabilities", where="above 0")
    rate = wilson(found, count, level)
    return ObservedExpected(
        found,
        mean * count,
        found / count / mean,
        Interval(rate.low / mean, rate.high / mean),
    )


def _bin(
    number: int, bins: int, chances: Floats, malignant: Flags, level: float
) -> CalibrationBin:
    found = int(malignant.sum())
    count = malignant.size
    return CalibrationBin(
        low=float(number / bins),
        high=float((number + 1) / bins),
        count=count,
        malignant=found,
        mean_probability=float(chances.mean()),
        observed=found / count,
        interval=wilson(found, count, level),
    )


def _bin_of(chances: Floats, bins: int) -> np.ndarray:
    numbers: np.ndarray = np.minimum((chances * bins).astype(int), bins - 1)
    return numbers


def _as_probabilities(values: ArrayLike) -> Floats:
    chances = np.asarray(values, dtype=np.float64)
    if not np.all((chances >= 0) & (chances <= 1)):
        raise ProbabilityInvalid(what="A probability", where="between 0 and 1")
    return chances


def _smoothed(malignant: Flags) -> Floats:
    positives = int(malignant.sum())
    negatives = malignant.size - positives
    return np.where(malignant, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _maximise_likelihood(values: Floats, targets: Floats) -> tuple[float, float]:
    """Slope and intercept for standardised values."""
    design = np.column_stack([values, np.ones_like(values)])
    weights = np.array([0.0, logit(targets.mean())])
    for _ in range(MAX_STEPS):
        chances = expit(design @ weights)
        gradient = design.T @ (chances - targets)
        if np.abs(gradient).max() < TOLERANCE * values.size:
            break
        hessian = (design.T * (chances * (1 - chances))) @ design + RIDGE * np.eye(2)
        weights = _descend(design, targets, weights, np.linalg.solve(hessian, gradient))
    return float(weights[0]), float(weights[1])


def _descend(design: Floats, targets: Floats, weights: Floats, step: Floats) -> Floats:
    """Take the Newton step, halved until the loss no longer rises."""
    loss = _loss(design, targets, weights)
    while _loss(design, targets, weights - step) > loss + TOLERANCE:
        step = step / 2
    return weights - step


def _loss(design: Floats, targets: Floats, weights: Floats) -> float:
    """Cross-entropy of the targets, without overflow at any margin."""
    margins = design @ weights
    return float(np.sum(np.logaddexp(0, margins) - targets * margins))
