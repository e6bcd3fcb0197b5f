"""Variance of an AUC, and the paired comparison of two, without assumptions on the scores' distributions.

Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44:837 (1988), computed from midranks as in Sun & Xu, IEEE Signal
Processing Letters 21:1389 (2014).
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
    """The scale on which an AUC's interval is symmetric; on the logit scale it stays inside 0 to 1."""

    LOGIT = "logit"
    NORMAL = "normal"


@dataclass(frozen=True)
class PairedTest:
    """Two AUCs on the same cases: `difference` is first minus second, `p_value` two-sided."""

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
    """Confidence interval of the AUC.

    Parameters
    ----------
    scores : (N,) float, higher = more likely malignant
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    level : confidence, 0.95 for 95 %
    scale : where the interval is symmetric

    Returns
    -------
    Interval
        Of zero width where the classes do not overlap at all: DeLong's variance is 0 there, whatever N.
    """
    values, malignant = as_cases(scores, labels, min_per_class=2)
    areas, covariance = _areas_and_covariance(values[np.newaxis], malignant)
    area = float(areas[0])
    error = math.sqrt(covariance[0, 0])
    if error == 0:
        return Interval(area, area)
    if scale is Scale.LOGIT:
        return logit_interval(area, error, level)
    reach = normal_quantile(level) * error
    return Interval(max(0.0, area - reach), min(1.0, area + reach))


def delong_test(first: ArrayLike, second: ArrayLike, labels: ArrayLike) -> PairedTest:
    """Whether two readers' AUCs on the same cases differ.

    Parameters
    ----------
    first, second : (N,) float, scores of the same cases in the same order
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    """
    scores_first, malignant = as_cases(first, labels, min_per_class=2)
    scores_second, _ = as_cases(second, labels, min_per_class=2)
    areas, covariance = _areas_and_covariance(
        np.stack([scores_first, scores_second]), malignant
    )
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = math.sqrt(max(0.0, variance))
    z = _standardised(difference, error)
    return PairedTest(
        float(areas[0]), float(areas[1]), difference, error, z, float(2 * ndtr(-abs(z)))
    )


def _areas_and_covariance(scores: Floats, malignant: Flags) -> tuple[Floats, Floats]:
    """AUCs (R,) of R readers' scores (R, N), and their covariance matrix (R, R)."""
    positives = int(malignant.sum())
    negatives = int((~malignant).sum())
    overall = midranks(scores)
    among_positives = midranks(scores[:, malignant])
    among_negatives = midranks(scores[:, ~malignant])
    # Each case's share of the other class that it is ranked rightly against.
    share_of_positive = (overall[:, malignant] - among_positives) / negatives
    share_of_negative = 1 - (overall[:, ~malignant] - among_negatives) / positives
    covariance = (
        np.cov(share_of_positive) / positives + np.cov(share_of_negative) / negatives
    )
    return share_of_positive.mean(axis=1), np.atleast_2d(covariance)


def _standardised(difference: float, error: float) -> float:
    if error > 0:
        return difference / error
    return math.copysign(math.inf, difference) if difference else 0.0
