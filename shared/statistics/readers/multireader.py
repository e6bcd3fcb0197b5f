"""Several readers under two conditions on the same cases: do they read better under one, beyond these very readers?

Source: Obuchowski & Rockette, Commun Stat Simul Comput 24:285 (1995), with the degrees of freedom of Hillis, Stat Med
26:596 (2007). Readers and cases are both random; the covariances are DeLong's.
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
"""A mean square of AUCs below this is one of rounding errors."""


@dataclass(frozen=True)
class MultiReader:
    """AUCs averaged over readers; `difference` is second minus first, `p_value` two-sided.

    Without any variation at all F is infinite, or 0 where the conditions do not differ; the interval has no width.
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
    """The test of two conditions, for readers and cases as samples of all there are.

    Parameters
    ----------
    first, second : (R, N) float, scores of R >= 2 readers under each condition, cases in the same order
    labels : (N,) bool or 0/1, 1 = malignant; at least two of each class
    level : confidence, 0.95 for 95 %

    Raises
    ------
    ScoresInvalid, SingleClass
    """
    before = np.asarray(first, np.float64)
    after = np.asarray(second, np.float64)
    if before.ndim != 2 or before.shape != after.shape or before.shape[0] < 2:
        raise ScoresInvalid(
            problem=f"two or more readers are needed, and the shapes are {before.shape}, {after.shape}"
        )
    count = before.shape[1]
    found = clustered_areas(np.concatenate([before, after]), labels, np.arange(count))
    return from_areas(found.values.reshape(2, -1), found.covariance, count, level)


def from_areas(
    areas: Floats, covariance: Floats, cases: int, level: float = 0.95
) -> MultiReader:
    """The test from AUCs (2, R) and their covariance (2R, 2R), the first condition's readers before the second's."""
    readers = areas.shape[1]
    means = areas.mean(axis=1)
    excess = areas - means[:, None] - areas.mean(axis=0) + areas.mean()
    between = readers * float(((means - areas.mean()) ** 2).sum())
    within = float((excess**2).sum()) / (readers - 1)
    spread = within + readers * max(
        _same_condition(covariance, readers) - _neither(covariance, readers), 0.0
    )
    spread = spread if spread > ROUNDING_ERROR else 0.0
    difference = float(means[1] - means[0])
    degrees = (
        (readers - 1) * (spread / within) ** 2 if within > ROUNDING_ERROR else math.inf
    )
    f = between / spread if spread else math.inf if between > ROUNDING_ERROR else 0.0
    reach = float(stdtrit(degrees, (1 + level) / 2)) * math.sqrt(2 * spread / readers)
    interval = Interval(max(difference - reach, -1.0), min(difference + reach, 1.0))
    p_value = float(fdtrc(1, degrees, f)) if math.isfinite(degrees) else _normal(f)
    return MultiReader(
        float(means[0]),
        float(means[1]),
        difference,
        interval,
        f,
        degrees,
        p_value,
        readers,
        cases,
    )


def _same_condition(covariance: Floats, readers: int) -> float:
    """Cov2: of two readers under one condition."""
    apart = ~np.eye(readers, dtype=bool)
    return float(
        np.mean(
            [_block(covariance, readers, place, place)[apart] for place in range(2)]
        )
    )


def _neither(covariance: Floats, readers: int) -> float:
    """Cov3: of two readers under two conditions."""
    apart = ~np.eye(readers, dtype=bool)
    return float(_block(covariance, readers, 0, 1)[apart].mean())


def _block(covariance: Floats, readers: int, row: int, column: int) -> Floats:
    whole = covariance.reshape(2, readers, 2, readers)
    return whole[row, :, column, :]


def _normal(f: float) -> float:
    return math.erfc(math.sqrt(f / 2)) if math.isfinite(f) else 0.0
