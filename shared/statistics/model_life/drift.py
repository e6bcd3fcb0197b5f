"""Whether values still come from the distribution that a model was trained on.

The reference is a table of quantiles at equal steps, as a bundle keeps it (101 of them: minimum, every percentile,
maximum). What is compared are counts of the new values between those quantiles, which a database can make where the
values lie; `tally` makes the same counts from an array.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, kolmogorov

from shared.statistics.cases import Floats
from shared.statistics.errors import DriftReferenceInvalid, DriftSampleInvalid

BINS = 10
WATCH = 0.10
ALARM = 0.25
"""Usual limits of PSI: below 0.1 no change worth naming, above 0.25 a marked one (Siddiqi, Credit Risk Scorecards,
Wiley 2006; Lewis, An Introduction to Credit Scoring, 1994). They are convention, not theory.
"""
WATCH_LEVEL = 0.95
ALARM_LEVEL = 0.99
"""What PSI must exceed of its own chance distribution, so that few cases raise no false alarm."""
FEWEST = 5 * BINS
"""Five expected in each bin, the least at which the chi-squared law of PSI holds (Cochran, Biometrics 10:417, 1954)."""
EMPTY = 0.5
"""Added to each bin's count, so that an empty one costs a finite amount (Haldane, Ann Hum Genet 20:309, 1956)."""


class DriftState(StrEnum):
    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"
    TOO_FEW = "too-few"


@dataclass(frozen=True)
class Stability:
    """A population stability index with the limits that hold for this number of cases."""

    psi: float
    cases: int
    watch_from: float
    alarm_from: float

    @property
    def state(self) -> DriftState:
        """`too-few` below FEWEST cases, else by the limits."""
        if self.cases < FEWEST:
            return DriftState.TOO_FEW
        if self.psi < self.watch_from:
            return DriftState.OK
        return DriftState.WATCH if self.psi < self.alarm_from else DriftState.ALARM


@dataclass(frozen=True)
class KsTest:
    """Largest distance of the two distribution functions, seen at the reference's quantiles; `p_value` two-sided."""

    distance: float
    p_value: float


@dataclass(frozen=True)
class Drift:
    """One quantity against its reference; of several components the one with the largest PSI, named by `component`."""

    stability: Stability
    ks: KsTest
    component: int | None = None

    @property
    def state(self) -> DriftState:
        return self.stability.state


def tally(values: ArrayLike, reference: ArrayLike) -> NDArray[np.int64]:
    """How many values lie between the quantiles, as `width_bucket(value, reference)` of PostgreSQL counts them.

    Parameters
    ----------
    values : (N,) float
    reference : (Q,) float, quantiles at equal steps from the minimum to the maximum

    Returns
    -------
    (Q + 1,) int
        Below the minimum, from each quantile up to the next, at the maximum or above.

    Raises
    ------
    DriftSampleInvalid, DriftReferenceInvalid
    """
    given = np.asarray(values, dtype=np.float64)
    quantiles = as_reference(reference)
    if given.ndim != 1 or given.size == 0:
        raise DriftSampleInvalid(problem=f"they have the shape {given.shape}")
    if not np.isfinite(given).all():
        raise DriftSampleInvalid(problem="a value is not finite")
    return np.bincount(
        np.searchsorted(quantiles, given, side="right"), minlength=quantiles.size + 1
    )


def drift(
    counts: ArrayLike,
    reference: ArrayLike,
    reference_cases: int | None = None,
    tests: int = 1,
) -> Drift:
    """PSI and KS of counts against the reference.

    Parameters
    ----------
    counts : (Q + 1,) int, as `tally` gives them
    reference : (Q,) float, quantiles at equal steps from the minimum to the maximum
    reference_cases : how many cases the quantiles were taken from; None: so many that their own chance is naught
    tests : how many quantities are looked at together; limits and p-value are corrected for them (Bonferroni)

    Raises
    ------
    DriftSampleInvalid, DriftReferenceInvalid
    """
    found, quantiles = _checked(counts, reference)
    return Drift(
        _stability(found, quantiles, reference_cases, tests),
        _ks(found, quantiles, reference_cases, tests),
    )


def components_drift(
    counts: Sequence[ArrayLike],
    references: Sequence[ArrayLike],
    reference_cases: int | None = None,
) -> Drift:
    """Several components, such as an embedding's, in one: the largest PSI, and the least KS p-value, both corrected.

    Parameters
    ----------
    counts : K of (Q + 1,) int, as `tally` gives them
    references : K of (Q,) float
    reference_cases : how many cases the quantiles were taken from

    Returns
    -------
    Drift
        Limits and p-value are Bonferroni's for K looks, which holds however the components depend on one another.
    """
    if not len(counts) == len(references) > 0:
        raise DriftReferenceInvalid(
            problem=f"it has {len(references)} components, the values {len(counts)}"
        )
    each = [
        drift(found, table, reference_cases, len(counts))
        for found, table in zip(counts, references, strict=True)
    ]
    worst = max(range(len(each)), key=lambda number: each[number].stability.psi)
    clearest = min((one.ks for one in each), key=lambda ks: (ks.p_value, -ks.distance))
    return Drift(each[worst].stability, clearest, worst)


def as_reference(quantiles: ArrayLike) -> Floats:
    """Quantiles at equal steps, checked: finite, not falling, not all one value.

    Raises
    ------
    DriftReferenceInvalid
    """
    try:
        given = np.asarray(quantiles, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DriftReferenceInvalid(problem="it does not consist of numbers") from error
    if given.ndim != 1 or given.size <= BINS:
        raise DriftReferenceInvalid(problem=f"it has the shape {given.shape}")
    if not np.isfinite(given).all() or (np.diff(given) < 0).any():
        raise DriftReferenceInvalid(
            problem="a quantile is not finite, or lower than the one before"
        )
    if given[0] == given[-1]:
        raise DriftReferenceInvalid(problem="all its quantiles are the same")
    return given


def _checked(
    counts: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    quantiles = as_reference(reference)
    found = np.asarray(counts)
    size = quantiles.size + 1
    if (
        found.shape != (size,)
        or not np.issubdtype(found.dtype, np.integer)
        or (found < 0).any()
    ):
        raise DriftSampleInvalid(problem=f"they are no {size} counts")
    if not found.any():
        raise DriftSampleInvalid(problem="there are none")
    return found, quantiles


def _stability(
    found: NDArray[np.int64], quantiles: Floats, reference_cases: int | None, tests: int
) -> Stability:
    """Population stability index over the reference's deciles: the sum of (q - p) ln(q / p).

    An empty bin counts as half a case. Where several deciles are one value, its bins are
    one. A limit is the usual one or, if higher, what chance alone exceeds in 5 % (watch)
    or 1 % (alarm) of the looks: without drift PSI is about (1/N + 1/M) times chi-squared
    with bins - 1 degrees of freedom.

    Source: Kullback & Leibler's J, Ann Math Stat 22:79 (1951); its law: Yurdakul &
    Naranjo, J Risk Model Validation 14(4):89 (2020).
    """
    edges, below = _deciles(quantiles)
    expected = np.maximum(
        np.diff(below, prepend=0.0, append=1.0), EMPTY / (quantiles.size - 1)
    )
    expected = expected / expected.sum()
    size = int(found.sum())
    bins = expected.size
    binned = np.diff(_below(found, quantiles, edges), prepend=0, append=size)
    share = (binned + EMPTY) / (size + EMPTY * bins)
    psi = float(np.sum((share - expected) * np.log(share / expected)))
    scale = 1 / size + (1 / reference_cases if reference_cases else 0.0)
    watch, alarm = (
        scale * _by_chance((1 - level) / tests, bins - 1)
        for level in (WATCH_LEVEL, ALARM_LEVEL)
    )
    return Stability(psi, size, max(WATCH, watch), max(ALARM, alarm))


def _ks(
    found: NDArray[np.int64], quantiles: Floats, reference_cases: int | None, tests: int
) -> KsTest:
    """Kolmogorov-Smirnov's test of a sample against quantiles.

    The distance is seen at the quantiles only, where the reference is known exactly, so it
    may be less than the true one by about a step, and the p-value errs upwards. It is exact
    for a known reference; with `reference_cases` it is the two-sample test's limit law at
    N M / (N + M). It is valid for any N, but below some 50 cases only gross drift shows: at
    20 a distance under 0.29 is chance.

    Source: Marsaglia, Tsang & Wang, J Stat Softw 8(18) (2003); Smirnov, Ann Math Stat
    19:279 (1948).
    """
    edges, below = _knots(quantiles)
    size = int(found.sum())
    distance = float(np.abs(_below(found, quantiles, edges) / size - below).max())
    if reference_cases is None:
        chance = _one_sample_p_value(distance, size)
    else:
        chance = kolmogorov(
            distance * np.sqrt(size * reference_cases / (size + reference_cases))
        )
    return KsTest(distance, float(min(1.0, chance * tests)))


def _one_sample_p_value(distance: float, size: int) -> float:
    """How likely `size` cases drawn from the reference itself are at least so far from it."""
    # Here, for scipy.stats takes most of a second to import, and the gateway seldom asks for it.
    from scipy.stats import kstwo

    return float(kstwo.sf(distance, size))


@cache
def _by_chance(beyond: float, freedom: int) -> float:
    return float(chdtri(freedom, beyond))


def _knots(quantiles: Floats) -> tuple[Floats, Floats]:
    """Distinct quantiles, with the reference's share below each."""
    edges, first = np.unique(quantiles, return_index=True)
    return edges, first / (quantiles.size - 1)


def _deciles(quantiles: Floats) -> tuple[Floats, Floats]:
    """Distinct deciles without minimum and maximum of the table, with the reference's share below each."""
    places = np.round(np.linspace(0, quantiles.size - 1, BINS + 1)).astype(int)[1:-1]
    edges, below = _knots(quantiles)
    chosen = np.isin(edges, quantiles[places])
    return edges[chosen], below[chosen]


def _below(
    counts: NDArray[np.int64], quantiles: Floats, edges: Floats
) -> NDArray[np.int64]:
    """How many of the counted values lie below each edge, which is one of the quantiles."""
    return np.cumsum(counts)[np.searchsorted(quantiles, edges, side="left")]
