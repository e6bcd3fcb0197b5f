"""Variance of an AUC, and the paired comparison of two AUCs.

Nothing is assumed about the distributions of the scores. Source: DeLong, DeLong & Clarke-Pearson,
Biometrics 44:837 (1988), computed from midranks as in Sun & Xu, IEEE Signal Processing Letters
21:1389 (2014).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.discrimination.ranks import midranks
from shared.statistics.intervals import Interval, logit_interval, normal_quantile


class Scale(StrEnum):
    """The scale on which the interval of an AUC is symmetric.

    On the logit scale the interval stays inside 0 to 1.
    """

    LOGIT = "logit"
    NORMAL = "normal"


@dataclass(frozen=True)
class PairedTest:
    """Two AUCs on the same cases: `difference` is first minus second, `p_value` is two-sided."""

    auc_first: float
    auc_second: float
    difference: float
    standard_error: float
    z: float
    p_value: float


def delong_interval(
    scores: ArrayLike,
    labels: ArrayLike,
    level: float = 0.95,
    scale: Scale = Scale.LOGIT,
) -> Interval:
    """Return the confidence interval of the AUC.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    level : confidence, 0.95 for 95 %
    scale : the scale on which the interval is symmetric

    Returns
    -------
    Interval
        The width is 0 if the classes do not overlap: DeLong's variance is then 0 for every N.

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    values, malignant = as_cases(scores, labels, min_per_class=2)
    areas, covariance = _areas_and_covariance(values[np.newaxis], malignant)
    area = float(areas[0])
    standard_error = math.sqrt(covariance[0, 0])
    if standard_error == 0:
        return Interval(low=area, high=area)
    if scale is Scale.LOGIT:
        return logit_interval(estimate=area, standard_error=standard_error, level=level)
    half_width = normal_quantile(level) * standard_error
    return Interval(low=max(0.0, area - half_width), high=min(1.0, area + half_width))


def delong_test(first: ArrayLike, second: ArrayLike, labels: ArrayLike) -> PairedTest:
    """Test whether the AUCs of two readers on the same cases differ.

    Parameters
    ----------
    first, second : (N,) float, scores of the same cases in the same order
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    scores_first, malignant = as_cases(first, labels, min_per_class=2)
    scores_second, _ = as_cases(second, labels, min_per_class=2)
    scores = np.stack([scores_first, scores_second])
    areas, covariance = _areas_and_covariance(scores, malignant)
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    standard_error = math.sqrt(max(0.0, variance))
    z = _z_score(difference, standard_error)
    return PairedTest(
        auc_first=float(areas[0]),
        auc_second=float(areas[1]),
        difference=difference,
        standard_error=standard_error,
        z=z,
        p_value=float(2 * ndtr(-abs(z))),
    )


def _areas_and_covariance(scores: Floats, malignant: Flags) -> tuple[Floats, Floats]:
    """Return the AUCs (R,) of scores (R, N) of R readers, and their covariance matrix (R, R)."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    overall_ranks = midranks(scores)
    ranks_among_malignant = midranks(scores[:, malignant])
    ranks_among_benign = midranks(scores[:, ~malignant])
    # For each case, the share of the other class against which it is ranked correctly.
    malignant_shares = (overall_ranks[:, malignant] - ranks_among_malignant) / negatives
    benign_shares = 1 - (overall_ranks[:, ~malignant] - ranks_among_benign) / positives
    covariance = (
        np.cov(malignant_shares) / positives + np.cov(benign_shares) / negatives
    )
    return malignant_shares.mean(axis=1), np.atleast_2d(covariance)


def _z_score(difference: float, standard_error: float) -> float:
    if standard_error > 0:
        return difference / standard_error
    return math.copysign(math.inf, difference) if difference else 0.0
