"""First-order features: intensity statistics and intensity histogram (IBSI, sections 3.3 and 3.4).

Both are computed from distinct values and how often each occurs, so that an 8-bit region costs a histogram and no sort.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Distribution:
    """`values` (n,) ascending, each occurring `counts` (n,) times, at least once."""

    values: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def from_sample(cls, sample: NDArray[np.number]) -> "Distribution":
        """Distribution of a sample (n,); whole numbers below 65536 are counted, others sorted."""
        if sample.dtype in (np.uint8, np.uint16):
            tally = np.bincount(sample)
            occurring = np.flatnonzero(tally)
            return cls(
                occurring.astype(np.float64), tally[occurring].astype(np.float64)
            )
        values = np.sort(sample).astype(np.float64)
        return cls(values, np.ones(values.size, np.float64))

    @cached_property
    def size(self) -> float:
        return float(self.counts.sum())

    @cached_property
    def mean(self) -> float:
        return self.average(self.values)

    @cached_property
    def variance(self) -> float:
        """Without Bessel's correction, as IBSI has it; exactly 0 where all values are equal."""
        return (
            self.average((self.values - self.mean) ** 2)
            if self.values[0] != self.values[-1]
            else 0.0
        )

    def average(self, of_values: NDArray[np.float64]) -> float:
        """Mean over the sample of a function of its values; einsum, since BLAS wakes all threads for so small a sum."""
        return float(np.einsum("i,i->", of_values, self.counts)) / self.size

    @cached_property
    def standardised(self) -> NDArray[np.float64]:
        """Values less their mean, over their standard deviation; 0 for a constant."""
        deviation = float(np.sqrt(self.variance or 1.0))
        return (self.values - self.mean) / deviation

    def percentiles(self, *ranks: float) -> list[float]:
        """Values at `ranks` in 0..1, interpolated linearly between order statistics."""
        position = np.array(ranks) * (self.size - 1)
        below = np.floor(position)
        upto = np.cumsum(self.counts)
        low = self.values[np.searchsorted(upto, below, side="right")]
        high = self.values[np.searchsorted(upto, np.ceil(position), side="right")]
        values: list[float] = (low + (position - below) * (high - low)).tolist()
        return values

    def restricted_to(self, low: float, high: float) -> "Distribution":
        """Only values in `low`..`high`, both included."""
        kept = (self.values >= low) & (self.values <= high)
        return Distribution(self.values[kept], self.counts[kept])

    def mean_deviation(self, centre: float) -> float:
        return self.average(np.abs(self.values - centre))


def intensity_statistics(distribution: Distribution) -> dict[str, float]:
    """Intensity statistics (IBSI UHIW), and the standard deviation, which the SERA deck lists besides.

    Names are IBSI's. Of a constant, all measures of spread and shape are 0, as is a ratio whose denominator is 0
    (`cov`, `qcod`). The robust deviation of nothing between the 10th and 90th percentile is 0.
    """
    d = distribution
    p10, p25, median, p75, p90 = d.percentiles(0.10, 0.25, 0.50, 0.75, 0.90)
    core = d.restricted_to(p10, p90)
    mean_square = d.average(d.values * d.values)
    z = d.standardised
    z_square = z * z
    return {
        "mean": d.mean,
        "var": d.variance,
        "std": float(np.sqrt(d.variance)),
        "skew": d.average(z_square * z),
        "kurt": d.average(z_square * z_square) - 3 if d.variance else 0.0,
        "median": median,
        "min": float(d.values[0]),
        "p10": p10,
        "p90": p90,
        "max": float(d.values[-1]),
        "iqr": p75 - p25,
        "range": float(d.values[-1] - d.values[0]),
        "mad": d.mean_deviation(d.mean),
        "rmad": core.mean_deviation(core.mean) if core.values.size else 0.0,
        "medad": d.mean_deviation(median),
        "cov": _ratio(float(np.sqrt(d.variance)), d.mean),
        "qcod": _ratio(p75 - p25, p75 + p25),
        "energy": mean_square * d.size,
        "rms": float(np.sqrt(mean_square)),
    }


HISTOGRAM_LEAVES_OUT = ("energy", "rms")


def histogram_features(levels_inside: NDArray[np.uint16], levels: int) -> dict[str, float]:
    """Intensity histogram features (IBSI ZVCW) of grey levels 1..`levels`, (n,).

    With fewer than two levels there is no gradient: it counts as 0 at level 1.
    """
    counted = intensity_statistics(Distribution.from_sample(levels_inside))
    tally = np.bincount(levels_inside, minlength=levels + 1)[1 : levels + 1].astype(
        np.float64
    )
    share = tally / tally.sum()
    gradient = np.gradient(tally) if levels > 1 else np.zeros(1)
    return {
        name: value
        for name, value in counted.items()
        if name not in HISTOGRAM_LEAVES_OUT
    } | {
        "mode": _mode(tally, counted["mean"]),
        "entropy": entropy(share),
        "uniformity": float(share @ share),
        "max_grad": float(gradient.max()),
        "max_grad_g": float(gradient.argmax() + 1),
        "min_grad": float(gradient.min()),
        "min_grad_g": float(gradient.argmin() + 1),
    }


def entropy(share: NDArray[np.float64]) -> float:
    """Shannon's entropy in bits of shares that sum to 1."""
    share = share[share > 0]
    return float(-(share @ np.log2(share))) + 0.0


def _mode(tally: NDArray[np.float64], mean: float) -> float:
    """The commonest level; of several the nearest to the mean (IBSI AMMC)."""
    commonest = np.flatnonzero(tally == tally.max()) + 1
    return float(commonest[np.abs(commonest - mean).argmin()])


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0
