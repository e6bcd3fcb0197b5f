"""Measures whether values still come from the distribution that a model was trained on.

The reference is a table of quantiles at equal steps, as a bundle stores it (101 of them: the
minimum, every percentile, the maximum). The comparison needs only the counts of new values between
those quantiles. A database can count them without loading the values. `quantile_bin_counts`
computes the same counts from an array.
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
PSI_WATCH_LIMIT = 0.10
PSI_ALARM_LIMIT = 0.25
"""Usual limits of PSI: below 0.1 no relevant change, above 0.25 a marked change (Siddiqi, Credit
Risk Scorecards, Wiley 2006; Lewis, An Introduction to Credit Scoring, 1994). The limits are
conventions without a theory.
"""
WATCH_CONFIDENCE = 0.95
ALARM_CONFIDENCE = 0.99
"""Quantiles of the chance distribution of PSI. PSI must exceed them as well, so that a small number
of cases raises no false alarm.
"""
MIN_CASES = 5 * BINS
"""Five expected cases in each bin, the minimum for the chi-squared law of PSI (Cochran,
Biometrics 10:417, 1954).
"""
EMPTY_BIN_COUNT = 0.5
"""Added to the count of each bin, so that an empty bin adds a finite amount to PSI (Haldane, Ann
Hum Genet 20:309, 1956).
"""


class DriftState(StrEnum):
    OK = "ok"
    WATCH = "watch"
    ALARM = "alarm"
    TOO_FEW = "too-few"


@dataclass(frozen=True)
class Stability:
    """A population stability index (PSI) with the limits that hold for this number of cases."""

    psi: float
    cases: int
    watch_from: float
    alarm_from: float

    @property
    def state(self) -> DriftState:
        """`too-few` below MIN_CASES cases; otherwise the limits decide."""
        if self.cases < MIN_CASES:
            return DriftState.TOO_FEW
        if self.psi < self.watch_from:
            return DriftState.OK
        if self.psi < self.alarm_from:
            return DriftState.WATCH
        return DriftState.ALARM


@dataclass(frozen=True)
class KsTest:
    """Kolmogorov-Smirnov: the largest distance of the two distribution functions, and its P.

    The distance is measured at the quantiles of the reference. `p_value` is two-sided.
    """

    distance: float
    p_value: float


@dataclass(frozen=True)
class Drift:
    """The comparison of one quantity with its reference.

    If a quantity has several components, the component with the largest PSI is reported.
    `component` is its index from 0.
    """

    stability: Stability
    ks: KsTest
    component: int | None = None

    @property
    def state(self) -> DriftState:
        return self.stability.state


def quantile_bin_counts(values: ArrayLike, reference: ArrayLike) -> NDArray[np.int64]:
    """Count the values between the quantiles, as PostgreSQL's `width_bucket(value, reference)`
    does.

    Parameters
    ----------
    values : (N,) float
    reference : (Q,) float, quantiles at equal steps from the minimum to the maximum

    Returns
    -------
    (Q + 1,) int
        Values below the minimum, from each quantile up to the next, and at the maximum or above.

    Raises
    ------
    DriftSampleInvalid, DriftReferenceInvalid
    """
    sample = np.asarray(values, dtype=np.float64)
    quantiles = as_reference(reference)
    if sample.ndim != 1 or sample.size == 0:
        raise DriftSampleInvalid(problem=f"they have the shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise DriftSampleInvalid(problem="a value is not finite")
    bin_numbers = np.searchsorted(quantiles, sample, side="right")
    return np.bincount(bin_numbers, minlength=quantiles.size + 1)


def drift(
    counts: ArrayLike,
    reference: ArrayLike,
    reference_cases: int | None = None,
    tests: int = 1,
) -> Drift:
    """Compute PSI and the Kolmogorov-Smirnov test of counts against the reference.

    Parameters
    ----------
    counts : (Q + 1,) int, as `quantile_bin_counts` returns them
    reference : (Q,) float, quantiles at equal steps from the minimum to the maximum
    reference_cases : number of cases from which the quantiles were computed; None if the quantiles
        are treated as exact
    tests : number of quantities that are tested together; limits and p-value are corrected for it
        (Bonferroni)

    Raises
    ------
    DriftSampleInvalid, DriftReferenceInvalid
    """
    bin_counts, quantiles = _as_counts(counts, reference)
    return Drift(
        stability=_stability(bin_counts, quantiles, reference_cases, tests),
        ks=_ks_test(bin_counts, quantiles, reference_cases, tests),
    )


def components_drift(
    counts: Sequence[ArrayLike],
    references: Sequence[ArrayLike],
    reference_cases: int | None = None,
) -> Drift:
    """Return one result for several components, such as those of an embedding.

    The result is the largest PSI and the smallest KS p-value of the components, both corrected for
    the number of components.

    Parameters
    ----------
    counts : K of (Q + 1,) int, as `quantile_bin_counts` returns them
    references : K of (Q,) float
    reference_cases : number of cases from which the quantiles were computed; None if the quantiles
        are treated as exact

    Returns
    -------
    Drift
        Limits and p-value are corrected by Bonferroni for K tests. They hold for any dependence
        between the components.

    Raises
    ------
    DriftSampleInvalid, DriftReferenceInvalid
    """
    if not len(counts) == len(references) > 0:
        raise DriftReferenceInvalid(
            problem=f"it has {len(references)} components, the values {len(counts)}"
        )
    drifts = [
        drift(
            component_counts,
            reference,
            reference_cases=reference_cases,
            tests=len(counts),
        )
        for component_counts, reference in zip(counts, references, strict=True)
    ]
    psi_values = [component.stability.psi for component in drifts]
    worst = psi_values.index(max(psi_values))
    ks_tests = [component.ks for component in drifts]
    return Drift(
        stability=drifts[worst].stability,
        ks=min(ks_tests, key=lambda ks: (ks.p_value, -ks.distance)),
        component=worst,
    )


def as_reference(quantiles: ArrayLike) -> Floats:
    """Return the quantiles at equal steps as an array: (Q,) finite, not falling, not all one value.

    Raises
    ------
    DriftReferenceInvalid
    """
    try:
        table = np.asarray(quantiles, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DriftReferenceInvalid(problem="it does not consist of numbers") from error
    if table.ndim != 1 or table.size <= BINS:
        raise DriftReferenceInvalid(problem=f"it has the shape {table.shape}")
    if not np.isfinite(table).all() or (np.diff(table) < 0).any():
        raise DriftReferenceInvalid(
            problem="a quantile is not finite, or lower than the one before"
        )
    if table[0] == table[-1]:
        raise DriftReferenceInvalid(problem="all its quantiles are the same")
    return table


def _as_counts(
    counts: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Return counts (Q + 1,) and quantiles (Q,) as arrays.

    Raises an error with the reason if they are invalid.
    """
    quantiles = as_reference(reference)
    bin_counts = np.asarray(counts)
    size = quantiles.size + 1
    if (
        bin_counts.shape != (size,)
        or not np.issubdtype(bin_counts.dtype, np.integer)
        or (bin_counts < 0).any()
    ):
        raise DriftSampleInvalid(problem=f"they are no {size} counts")
    if not bin_counts.any():
        raise DriftSampleInvalid(problem="there are none")
    return bin_counts, quantiles


def _stability(
    counts: NDArray[np.int64],
    quantiles: Floats,
    reference_cases: int | None,
    tests: int,
) -> Stability:
    edges, reference_below = _deciles(quantiles)
    expected = np.diff(reference_below, prepend=0.0, append=1.0)
    expected = np.maximum(expected, EMPTY_BIN_COUNT / (quantiles.size - 1))
    expected = expected / expected.sum()
    cases = int(counts.sum())
    bins = expected.size
    below = _count_below(counts, quantiles, edges)
    observed_counts = np.diff(below, prepend=0, append=cases)
    smoothed_total = cases + EMPTY_BIN_COUNT * bins
    observed = (observed_counts + EMPTY_BIN_COUNT) / smoothed_total
    psi = float(np.sum((observed - expected) * np.log(observed / expected)))
    scale = 1 / cases
    if reference_cases:
        scale += 1 / reference_cases
    watch_chance = (1 - WATCH_CONFIDENCE) / tests
    alarm_chance = (1 - ALARM_CONFIDENCE) / tests
    watch_by_chance = scale * _chi_squared_quantile(watch_chance, bins - 1)
    alarm_by_chance = scale * _chi_squared_quantile(alarm_chance, bins - 1)
    return Stability(
        psi=psi,
        cases=cases,
        watch_from=max(PSI_WATCH_LIMIT, watch_by_chance),
        alarm_from=max(PSI_ALARM_LIMIT, alarm_by_chance),
    )


def _ks_test(
    counts: NDArray[np.int64],
    quantiles: Floats,
    reference_cases: int | None,
    tests: int,
) -> KsTest:
    edges, reference_below = _distinct_quantiles(quantiles)
    cases = int(counts.sum())
    observed_below = _count_below(counts, quantiles, edges) / cases
    distance = float(np.abs(observed_below - reference_below).max())
    if reference_cases is None:
        p_value = _one_sample_p_value(distance, cases)
    else:
        effective_cases = cases * reference_cases / (cases + reference_cases)
        p_value = kolmogorov(distance * np.sqrt(effective_cases))
    return KsTest(distance=distance, p_value=float(min(1.0, p_value * tests)))


def _one_sample_p_value(distance: float, cases: int) -> float:
    """Return the P of a distance at least as large among cases from the reference itself."""
    # Imported here: scipy.stats takes most of a second to import, and the gateway seldom needs it.
    from scipy.stats import kstwo

    return float(kstwo.sf(distance, cases))


@cache
def _chi_squared_quantile(upper_tail: float, degrees_of_freedom: int) -> float:
    """Return the value that chi-squared exceeds with the probability `upper_tail`."""
    return float(chdtri(degrees_of_freedom, upper_tail))


def _distinct_quantiles(quantiles: Floats) -> tuple[Floats, Floats]:
    """Return the distinct quantiles (K,), and the share of the reference below each (K,)."""
    edges, first_positions = np.unique(quantiles, return_index=True)
    return edges, first_positions / (quantiles.size - 1)


def _deciles(quantiles: Floats) -> tuple[Floats, Floats]:
    """Return the distinct inner deciles of the table, and the share of the reference below each."""
    positions = np.round(np.linspace(0, quantiles.size - 1, BINS + 1)).astype(int)
    inner_deciles = quantiles[positions[1:-1]]
    edges, below = _distinct_quantiles(quantiles)
    is_decile = np.isin(edges, inner_deciles)
    return edges[is_decile], below[is_decile]


def _count_below(
    counts: NDArray[np.int64], quantiles: Floats, edges: Floats
) -> NDArray[np.int64]:
    """Return the number of counted values below each edge; every edge is one of the quantiles."""
    return np.cumsum(counts)[np.searchsorted(quantiles, edges, side="left")]
