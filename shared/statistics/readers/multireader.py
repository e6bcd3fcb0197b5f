"""Compares two conditions that several readers applied to the same cases.

The question is whether readers in general, and not only these readers, are better under one
condition.
Source: Obuchowski & Rockette, Commun Stat Simul Comput 24:285 (1995), with the degrees of freedom
of Hillis, Stat Med 26:596 (2007). Readers and cases are both random; the covariances are DeLong's.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, stdtrit

from shared.statistics.cases import Floats
from shared.statistics.discrimination.clustered import clustered_areas
from shared.statistics.errors import ScoresInvalid
from shared.statistics.intervals import Interval

ROUNDING_ERROR = 1e-20
"""A mean square of AUCs below this value consists of rounding errors."""


@dataclass(frozen=True)
class MultiReader:
    """AUCs averaged over readers; `difference` is second minus first, `p_value` is two-sided.

    Without any variation, F is infinite, or 0 if the conditions do not differ. The width of the
    interval is then 0.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    f: float
    degrees_of_freedom: float
    p_value: float
    readers: int
    cases: int


def obuchowski_rockette(
    first: ArrayLike, second: ArrayLike, labels: ArrayLike, level: float = 0.95
) -> MultiReader:
    """Test the difference of two conditions.

    Readers and cases are treated as samples of their populations.

    Parameters
    ----------
    first, second : (R, N) float, scores of R >= 2 readers under each condition, cases in the same
        order
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    level : confidence, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    first_scores = np.asarray(first, np.float64)
    second_scores = np.asarray(second, np.float64)
    shape = first_scores.shape
    if len(shape) != 2 or shape != second_scores.shape or shape[0] < 2:
        raise ScoresInvalid(
            problem="two or more readers are needed, and the shapes are "
            f"{first_scores.shape}, {second_scores.shape}"
        )
    cases = shape[1]
    scores = np.concatenate([first_scores, second_scores])
    areas = clustered_areas(scores, labels, np.arange(cases))
    return from_areas(
        areas.values.reshape(2, -1),
        covariance=areas.covariance,
        cases=cases,
        level=level,
    )


def from_areas(
    areas: Floats, covariance: Floats, cases: int, level: float = 0.95
) -> MultiReader:
    """Compute the test from AUCs (2, R) and their covariance (2R, 2R).

    In the covariance the readers of the first condition come before the readers of the second
    condition.
    """
    readers = areas.shape[1]
    means = areas.mean(axis=1)
    excess = areas - means[:, None] - areas.mean(axis=0) + areas.mean()
    condition_mean_square = readers * float(((means - areas.mean()) ** 2).sum())
    interaction_mean_square = float((excess**2).sum()) / (readers - 1)
    cov2 = _covariance_within_condition(covariance, readers)
    cov3 = _covariance_between_conditions(covariance, readers)
    denominator = interaction_mean_square + readers * max(cov2 - cov3, 0.0)
    denominator = denominator if denominator > ROUNDING_ERROR else 0.0
    difference = float(means[1] - means[0])
    if interaction_mean_square > ROUNDING_ERROR:
        ratio = denominator / interaction_mean_square
        degrees_of_freedom = (readers - 1) * ratio**2
    else:
        degrees_of_freedom = math.inf
    if denominator:
        f = condition_mean_square / denominator
    else:
        f = math.inf if condition_mean_square > ROUNDING_ERROR else 0.0
    t_quantile = float(stdtrit(degrees_of_freedom, (1 + level) / 2))
    half_width = t_quantile * math.sqrt(2 * denominator / readers)
    interval = Interval(
        low=max(difference - half_width, -1.0), high=min(difference + half_width, 1.0)
    )
    return MultiReader(
        first=float(means[0]),
        second=float(means[1]),
        difference=difference,
        interval=interval,
        f=f,
        degrees_of_freedom=degrees_of_freedom,
        p_value=_p_value(f, degrees_of_freedom),
        readers=readers,
        cases=cases,
    )


def _covariance_within_condition(covariance: Floats, readers: int) -> float:
    """Return the cov2: the mean covariance of two readers under one condition."""
    different_readers = ~np.eye(readers, dtype=bool)
    covariances = [
        _block(covariance, readers, row=condition, column=condition)[different_readers]
        for condition in range(2)
    ]
    return float(np.mean(covariances))


def _covariance_between_conditions(covariance: Floats, readers: int) -> float:
    """Return the cov3: the mean covariance of two readers under two conditions."""
    different_readers = ~np.eye(readers, dtype=bool)
    block = _block(covariance, readers, row=0, column=1)
    return float(block[different_readers].mean())


def _block(covariance: Floats, readers: int, *, row: int, column: int) -> Floats:
    """Return the covariances (R, R) of the readers under two conditions."""
    blocks = covariance.reshape(2, readers, 2, readers)
    return blocks[row, :, column, :]


def _p_value(f: float, degrees_of_freedom: float) -> float:
    """Return the upper tail of F.

    If the degrees of freedom are infinite, it is the tail of the squared normal.
    """
    if math.isfinite(degrees_of_freedom):
        return float(fdtrc(1, degrees_of_freedom, f))
    return math.erfc(math.sqrt(f / 2)) if math.isfinite(f) else 0.0
