"""The figures of a load: latencies, fairness between hospitals, and whether memory grows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trials.load.clients import Fault, SentCase
from trials.load.monitoring import Sample

WARM_UP_SHARE = 1 / 3
"""The first share of the run, in which pools fill and caches warm up."""
MIN_JUDGED_S = 600.0
"""A shorter run is too little warmed up to tell growth from warming up."""
GROWTH_SHARE = 0.05
GROWTH_MIB = 10.0
MIN_CASES = 20
"""The fewest cases of a hospital from which a p95 is computed."""
PER_DECADE = 9


@dataclass(frozen=True)
class Latency:
    """Latencies in seconds; all 0 without values."""

    count: int
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    most: float = 0.0
    mean: float = 0.0

    @classmethod
    def from_seconds(cls, seconds: Sequence[float]) -> "Latency":
        if not len(seconds):
            return cls(0)
        p50, p95, p99 = np.quantile(seconds, (0.5, 0.95, 0.99)).tolist()
        return cls(
            count=len(seconds),
            p50=p50,
            p95=p95,
            p99=p99,
            most=max(seconds),
            mean=float(np.mean(seconds)),
        )


@dataclass(frozen=True)
class Share:
    """One hospital's part of a load."""

    hospital: str
    sent: int
    submit: Latency
    result: Latency


@dataclass(frozen=True)
class Fairness:
    """Compares the waiting times of the hospitals that have enough cases."""

    hospitals: int
    jain: float
    """Jain's index of their mean waits.

    It is 1 if all are equal, and 1/n if one hospital has all the waiting.
    """
    worst_p95: float
    worst_p95_hospital: str
    worst_median_ratio: float
    """The longest median of a hospital, over the median of all cases."""
    worst_median_hospital: str
    within: int
    """The number of hospitals that sent at most an equal share.

    If workers are shared fairly, none of them waits for another hospital. A hospital that sends
    more than its share may wait for its own cases.
    """
    within_p95: float = 0.0
    within_p95_hospital: str = ""
    """The hospital with the longest p95 among them."""


@dataclass(frozen=True)
class Growth:
    """Memory of one child after the warm-up."""

    child: str
    level_mib: float
    """The mean."""
    most_mib: float
    grown_mib: float
    """Slope of the least-squares line, times its duration."""
    slope_mib_per_h: float

    @property
    def flat(self) -> bool:
        return self.grown_mib < max(GROWTH_MIB, GROWTH_SHARE * self.level_mib)


def submit_s(cases: Sequence[SentCase]) -> list[float]:
    return [case.accepted_s for case in cases if case.accepted_s is not None]


def result_s(cases: Sequence[SentCase]) -> list[float]:
    return [case.answered_s for case in cases if case.answered_s is not None]


def by_hospital(cases: Sequence[SentCase]) -> list[Share]:
    """The share of each hospital, by name, which is the order of the planned shares."""
    cases_by_hospital: dict[str, list[SentCase]] = {}
    for case in cases:
        cases_by_hospital.setdefault(case.hospital, []).append(case)
    return [
        Share(
            name,
            len(cases),
            Latency.from_seconds(submit_s(cases)),
            Latency.from_seconds(result_s(cases)),
        )
        for name, cases in sorted(cases_by_hospital.items())
    ]


def fairness(shares: Sequence[Share], overall: Latency) -> Fairness | None:
    """None where fewer than two hospitals have enough cases."""
    judged = [share for share in shares if share.result.count >= MIN_CASES]
    if len(judged) < 2:
        return None
    equal_share = sum(share.sent for share in shares) / len(shares)
    small_shares = [share for share in judged if share.sent <= equal_share]
    worst_p95_share = _slowest_p95(judged)
    worst_median_share = max(judged, key=lambda share: share.result.p50)
    worst_small_share = _slowest_p95(small_shares) if small_shares else None
    return Fairness(
        hospitals=len(judged),
        jain=jain([share.result.mean for share in judged]),
        worst_p95=worst_p95_share.result.p95,
        worst_p95_hospital=worst_p95_share.hospital,
        worst_median_ratio=worst_median_share.result.p50 / overall.p50,
        worst_median_hospital=worst_median_share.hospital,
        within=len(small_shares),
        within_p95=worst_small_share.result.p95 if worst_small_share else 0.0,
        within_p95_hospital=worst_small_share.hospital if worst_small_share else "",
    )


def _slowest_p95(shares: Sequence[Share]) -> Share:
    return max(shares, key=lambda share: share.result.p95)


def jain(values: Sequence[float]) -> float:
    """Jain's index: (sum x)^2 / (n sum x^2)."""
    waits = np.asarray(values, float)
    return float(waits.sum() ** 2 / (len(waits) * (waits**2).sum()))


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """The memory growth of every child that ran from the warm-up to the end."""
    if len(samples) < 3:
        return []
    first = samples[0].at_s
    last = samples[-1].at_s
    warm_samples = [
        sample
        for sample in samples
        if sample.at_s >= first + WARM_UP_SHARE * (last - first)
    ]
    names = set.intersection(*(set(sample.memory_mib) for sample in warm_samples))
    return [_growth(name, warm_samples) for name in sorted(names)]


def _growth(child: str, samples: Sequence[Sample]) -> Growth:
    at_s = np.array([sample.at_s for sample in samples])
    memory = np.array([sample.memory_mib[child] for sample in samples])
    slope = float(np.polyfit(at_s - at_s[0], memory, 1)[0]) if len(samples) > 1 else 0.0
    grown = slope * float(at_s[-1] - at_s[0])
    return Growth(child, float(memory.mean()), float(memory.max()), grown, slope * 3600)


def codes(faults: Sequence[Fault]) -> dict[str, int]:
    """The number of faults of each code."""
    return dict(sorted(Counter(fault.code for fault in faults).items()))


def histogram(seconds: Sequence[float]) -> list[tuple[float, int]]:
    """Upper bound in seconds and count of each bar that holds something; nine bars for a factor of
    ten.
    """
    if not len(seconds):
        return []
    bins = np.ceil(np.log10(np.maximum(seconds, 1e-4)) * PER_DECADE).astype(int)
    return [
        (float(10 ** (bin_index / PER_DECADE)), count)
        for bin_index, count in sorted(Counter(bins.tolist()).items())
    ]
