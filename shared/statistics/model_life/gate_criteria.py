"""Two questions of a gate: is an AUC no worse than another by a margin; is a calibration error more than chance."""

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
"""Share of perfectly calibrated models that are found wanting by chance alone."""


@dataclass(frozen=True)
class NonInferiority:
    """The difference of two paired AUCs, candidate less live, against a margin.

    `low` and `high` are the two-sided interval at `level` = 1 - 2 * significance, whose lower end lies above -margin
    exactly where `p_value` < significance.
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
    """Expected calibration error beside what a perfectly calibrated model with the same risks shows by chance.

    `by_chance` is the mean over such models, above 0 and the more so the fewer the images; `by_chance_high` their 95th
    percentile; `p_value` the share of them that is as far off.
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
    patients : (N,) names, where images of one name go together; None: every image is a patient of its own

    Raises
    ------
    ScoresInvalid, SingleClass

    Source: Liu, Ma, Wu & Tai, Stat Med 25:1219 (2006), with DeLong's variance of the paired difference, or with
    Obuchowski's where patients bring several images.
    """
    clusters = np.arange(np.size(labels)) if patients is None else patients
    scores = np.stack([np.asarray(candidate, np.float64), np.asarray(live, np.float64)])
    paired = clustered_areas(scores, labels, clusters).compare_readers()
    reach = float(ndtri(1 - significance)) * paired.standard_error
    above = paired.difference + margin
    p_value = (
        ndtr(-above / paired.standard_error)
        if paired.standard_error
        else float(above <= 0)
    )
    low = paired.difference - reach
    high = paired.difference + reach
    level = 1 - 2 * significance
    return NonInferiority(
        paired.difference,
        paired.standard_error,
        low,
        high,
        level,
        margin,
        float(p_value),
    )


def calibration_test(
    risks: ArrayLike, labels: ArrayLike, bins: int = 10
) -> CalibrationTest:
    """Whether the risks are further from the truth than chance alone takes those of a perfectly calibrated model.

    The expected calibration error of few images is far from 0 even where every risk is right, since each bin's rate is
    that of a handful of cases. So labels are drawn from the risks themselves, again and again: the error of each draw
    is what perfect calibration looks like with these risks and this many images.

    Parameters
    ----------
    risks : (N,) fractions, at the prevalence of these cases
    labels : (N,) bool or 0/1, 1 = malignant
    bins : of equal width over 0 to 1

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid

    Source: consistency resampling, Broecker & Smith, Weather Forecast 22:651 (2007); as a test of the calibration
    error, Vaicenavicius et al., AISTATS (2019).
    """
    found = expected_calibration_error(risks, labels, bins)
    errors = _errors_by_chance(np.asarray(risks, np.float64), bins)
    p_value = (1 + np.sum(errors >= found - 1e-12)) / (LABEL_DRAWS + 1)
    return CalibrationTest(
        found,
        float(errors.mean()),
        float(np.quantile(errors, 1 - SIGNIFICANCE)),
        float(p_value),
    )


def _errors_by_chance(chances: Floats, bins: int) -> Floats:
    """Calibration errors (DRAWS,) of labels drawn from the risks; the same for the same risks."""
    random = np.random.default_rng(SEED)
    bin_of = np.eye(bins)[np.minimum((chances * bins).astype(int), bins - 1)]
    drawn = (
        random.random((DRAWS_PER_BATCH, chances.size)) < chances
        for _ in range(LABEL_DRAWS // DRAWS_PER_BATCH)
    )
    return np.concatenate(
        [np.abs((chances - labels) @ bin_of).sum(1) / chances.size for labels in drawn]
    )
