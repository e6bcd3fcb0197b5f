"""First-order features: intensity statistics and intensity histogram (IBSI, sections 3.3 and 3.4).

Both are computed from values and their counts, so that an 8-bit region needs one histogram and no
sort.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FEATURES_NOT_IN_HISTOGRAM = ("energy", "rms")


@dataclass(frozen=True, eq=False)
class Distribution:
    """The values of a sample and their counts.

    Attributes
    ----------
    values : (n,) ascending; distinct for a sample of uint8 or uint16, otherwise one for each member
    counts : (n,), at least 1; how many members of the sample each entry of `values` stands for
    """

    values: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def from_sample(cls, sample: NDArray[np.number]) -> "Distribution":
        """Return the distribution of a sample (n,).

        Values of uint8 or uint16 are counted. Others are sorted.
        """
        if sample.dtype in (np.uint8, np.uint16):
            counts = np.bincount(sample)
            distinct = np.flatnonzero(counts)
            return cls(
                values=distinct.astype(np.float64),
                counts=counts[distinct].astype(np.float64),
            )
        values = np.sort(sample).astype(np.float64)
        return cls(values=values, counts=np.ones(values.size, np.float64))

    @cached_property
    def size(self) -> float:
        return float(self.counts.sum())

    @cached_property
    def mean(self) -> float:
        return self.average(self.values)

    @cached_property
    def variance(self) -> float:
        """Variance without Bessel's correction, as in IBSI; exactly 0 if all values are equal."""
        if self.values[0] == self.values[-1]:
            return 0.0
        return self.average((self.values - self.mean) ** 2)

    def average(self, transformed: NDArray[np.float64]) -> float:
        """Return the mean over the sample of a function of its values.

        Parameters
        ----------
        transformed : (n,), the function's result for each of `values`
        """
        # einsum, because BLAS wakes all its threads even for a sum as small as this one.
        total = float(np.einsum("i,i->", transformed, self.counts))
        return total / self.size

    @cached_property
    def standardised(self) -> NDArray[np.float64]:
        """Distance of each value from the mean in standard deviations; 0 if all are equal."""
        deviation = float(np.sqrt(self.variance or 1.0))
        return (self.values - self.mean) / deviation

    def percentiles(self, *ranks: float) -> list[float]:
        """Return the values at `ranks` in 0..1, interpolated linearly between order statistics."""
        position = np.array(ranks) * (self.size - 1)
        lower_index = np.floor(position)
        upper_index = np.ceil(position)
        cumulative_counts = np.cumsum(self.counts)
        low = self.values[np.searchsorted(cumulative_counts, lower_index, side="right")]
        high = self.values[
            np.searchsorted(cumulative_counts, upper_index, side="right")
        ]
        values: list[float] = (low + (position - lower_index) * (high - low)).tolist()
        return values

    def restricted_to(self, low: float, high: float) -> "Distribution":
        """Return the distribution of the values in `low`..`high`, both included."""
        in_range = (self.values >= low) & (self.values <= high)
        return Distribution(values=self.values[in_range], counts=self.counts[in_range])

    def mean_absolute_deviation(self, centre: float) -> float:
        return self.average(np.abs(self.values - centre))


def intensity_statistics(distribution: Distribution) -> dict[str, float]:
    """Compute intensity statistics (IBSI UHIW).

    The standard deviation is not in IBSI; the slides about SERA ask for it.

    The names are IBSI's. If all values are equal, all measures of spread and shape are 0. A ratio
    with a denominator of 0 (`cov`, `qcod`) is 0 too, and so is the robust deviation if no value is
    between the 10th and the 90th percentile.
    """
    d = distribution
    p10, p25, median, p75, p90 = d.percentiles(0.10, 0.25, 0.50, 0.75, 0.90)
    core = d.restricted_to(p10, p90)
    mean_square = d.average(d.values * d.values)
    standard_deviation = float(np.sqrt(d.variance))
    z = d.standardised
    z_square = z * z
    kurtosis = d.average(z_square * z_square) - 3 if d.variance else 0.0
    robust_deviation = (
        core.mean_absolute_deviation(core.mean) if core.values.size else 0.0
    )
    return {
        "mean": d.mean,
        "var": d.variance,
        "std": standard_deviation,
        "skew": d.average(z_square * z),
        "kurt": kurtosis,
        "median": median,
        "min": float(d.values[0]),
        "p10": p10,
        "p90": p90,
        "max": float(d.values[-1]),
        "iqr": p75 - p25,
        "range": float(d.values[-1] - d.values[0]),
        "mad": d.mean_absolute_deviation(d.mean),
        "rmad": robust_deviation,
        "medad": d.mean_absolute_deviation(median),
        "cov": _ratio(standard_deviation, d.mean),
        "qcod": _ratio(p75 - p25, p75 + p25),
        "energy": mean_square * d.size,
        "rms": float(np.sqrt(mean_square)),
    }


def histogram_features(
    grey_levels: NDArray[np.uint16], levels: int
) -> dict[str, float]:
    """Compute intensity histogram features (IBSI ZVCW).

    With fewer than two levels there is no gradient. It then counts as 0 at level 1.

    Parameters
    ----------
    grey_levels : (n,) grey levels 1..`levels` of the pixels in the region
    levels : number of grey levels
    """
    features = intensity_statistics(Distribution.from_sample(grey_levels))
    for name in FEATURES_NOT_IN_HISTOGRAM:
        del features[name]
    all_counts = np.bincount(grey_levels, minlength=levels + 1)
    counts = all_counts[1 : levels + 1].astype(np.float64)
    shares = counts / counts.sum()
    gradient = np.gradient(counts) if levels > 1 else np.zeros(1)
    return features | {
        "mode": _mode(counts, features["mean"]),
        "entropy": entropy(shares),
        "uniformity": float(shares @ shares),
        "max_grad": float(gradient.max()),
        "max_grad_g": float(gradient.argmax() + 1),
        "min_grad": float(gradient.min()),
        "min_grad_g": float(gradient.argmin() + 1),
    }


def entropy(shares: NDArray[np.float64]) -> float:
    """Return Shannon entropy in bits of shares (n,) that sum to 1."""
    positive = shares[shares > 0]
    # Adding 0.0 turns -0.0 into 0.0.
    return float(-(positive @ np.log2(positive))) + 0.0


def _mode(counts: NDArray[np.float64], mean: float) -> float:
    """Return the most frequent level.

    If several levels are equally frequent, return the level nearest to the mean (IBSI AMMC).
    """
    modes = np.flatnonzero(counts == counts.max()) + 1
    nearest = np.abs(modes - mean).argmin()
    return float(modes[nearest])


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
