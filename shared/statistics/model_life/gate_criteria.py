"""Two criteria of the gate: non-inferiority of an AUC, and a calibration error beyond chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from shared.statistics.cases import Floats
from shared.statistics.discrimination.clustered import clustered_areas
from shared.statistics.reliability.calibration import expected_calibration_error

LABEL_DRAWS = 2000
DRAWS_PER_BATCH = 100
SEED = 0
SIGNIFICANCE = 0.05
"""Share of perfectly calibrated models that fail by chance alone."""


@dataclass(frozen=True)
class NonInferiority:
    """The difference of two paired AUCs, candidate minus live model, against a margin.

    `low` and `high` are the two-sided interval at `level` = 1 - 2 * significance. Its lower end is
    above -margin if and only if `p_value` < significance.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    level: float
    margin: float
    p_value: float

    @property
    def is_shown(self) -> bool:
        return self.low > -self.margin


@dataclass(frozen=True)
class CalibrationTest:
    """Expected calibration error, and the error that a perfectly calibrated model has by chance.

    The perfectly calibrated models have the same risks. `by_chance` is their mean error. It is
    above 0, and it grows as the number of images falls. `by_chance_high` is the 95th percentile of
    their errors. `p_value` is the share of these models with an error at least as large.
    """

    error: float
    by_chance: float
    by_chance_high: float
    p_value: float


def non_inferiority(
    candidate: ArrayLike,
    live: ArrayLike,
    labels: ArrayLike,
    margin: float,
    significance: float = SIGNIFICANCE,
    patients: ArrayLike | None = None,
) -> NonInferiority:
    """Test that the candidate's AUC is not worse than the live model's by `margin` or more.

    Parameters
    ----------
    candidate, live : (N,) float, scores of the same cases in the same order
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    margin : AUC, above 0
    significance : one-sided
    patients : (N,) names; images with the same name belong together. If it is None, each image
        counts as a separate patient

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Liu, Ma, Wu & Tai, Stat Med 25:1219 (2006), with DeLong's variance of the paired
    difference, or with Obuchowski's variance if patients have several images.
    """
    clusters = np.arange(np.size(labels)) if patients is None else patients
    candidate_scores = np.asarray(candidate, np.float64)
    live_scores = np.asarray(live, np.float64)
    scores = np.stack([candidate_scores, live_scores])
    test = clustered_areas(scores, labels, clusters).compare_readers()
    half_width = float(ndtri(1 - significance)) * test.standard_error
    excess = test.difference + margin
    if test.standard_error:
        p_value = float(ndtr(-excess / test.standard_error))
    else:
        p_value = float(excess <= 0)
    return NonInferiority(
        difference=test.difference,
        standard_error=test.standard_error,
        low=test.difference - half_width,
        high=test.difference + half_width,
        level=1 - 2 * significance,
        margin=margin,
        p_value=p_value,
    )


def calibration_test(
    risks: ArrayLike, labels: ArrayLike, bins: int = 10
) -> CalibrationTest:
    """Test whether the risks are further from the truth than the risks of a calibrated model.

    With few images the expected calibration error is far from 0 even if every risk is right,
    because a bin has only a few cases. Therefore labels are drawn repeatedly from the risks
    themselves. The error of each draw is the error of perfect calibration with these risks and this
    number of images.

    Parameters
    ----------
    risks : (N,) fractions, at the prevalence of these cases
    labels : (N,) bool or 0/1, 1 = malignant
    bins : number of bins of equal width over 0 to 1

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid

    Source: consistency resampling, Broecker & Smith, Weather Forecast 22:651 (2007); as a test of
    the calibration error, Vaicenavicius et al., AISTATS (2019).
    """
    error = expected_calibration_error(risks, labels, bins)
    chance_errors = _chance_errors(np.asarray(risks, np.float64), bins)
    larger_errors = np.sum(chance_errors >= error - 1e-12)
    return CalibrationTest(
        error=error,
        by_chance=float(chance_errors.mean()),
        by_chance_high=float(np.quantile(chance_errors, 1 - SIGNIFICANCE)),
        p_value=float((1 + larger_errors) / (LABEL_DRAWS + 1)),
    )


def _chance_errors(risks: Floats, bins: int) -> Floats:
    """Return the calibration errors (LABEL_DRAWS,) of labels drawn from the risks (N,).

    The same risks give the same draws.
    """
    random = np.random.default_rng(SEED)
    bin_numbers = np.minimum((risks * bins).astype(int), bins - 1)
    bin_membership = np.eye(bins)[bin_numbers]
    batches = []
    for _ in range(LABEL_DRAWS // DRAWS_PER_BATCH):
        labels = random.random((DRAWS_PER_BATCH, risks.size)) < risks
        gaps = (risks - labels) @ bin_membership
        batches.append(np.abs(gaps).sum(1) / risks.size)
    return np.concatenate(batches)
