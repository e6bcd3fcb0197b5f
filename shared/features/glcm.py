"""Features of the grey level co-occurrence matrix, GLCM (IBSI, section 3.6).

Pairs of pixels are counted horizontally, vertically and along both diagonals. Each feature is
computed for each direction and for all directions together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.arrays import Array, sum_over

DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Steps in rows and columns: 0, 135, 90 and 45 degrees.

The matrices are symmetric, so that the opposite steps are included.
"""

LevelsImage = NDArray[np.uint16]
PixelPairs = tuple[LevelsImage, LevelsImage]
"""Two views of one shape: at each place the two pixels of a pair."""

MAX_DENSE_LEVELS = 256
"""Up to this number of grey levels a whole matrix is counted.

For more levels only the pairs that occur are counted.
"""


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Symmetric counts of pairs of grey levels.

    Cell k counts the pairs of level `first[k]` with level `second[k]`. A cell that is empty in all
    directions may be absent.

    Attributes
    ----------
    first, second : (K,) int64, grey levels 1..`levels`
    counts : (M, K) int64, a row for each direction
    levels : number of grey levels N_g
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    counts: NDArray[np.int64]
    levels: int

    def with_merged_row(self) -> "Cooccurrence":
        """Return a copy with the sum over all directions as an additional row."""
        merged = self.counts.sum(0, keepdims=True)
        return Cooccurrence(
            first=self.first,
            second=self.second,
            counts=np.concatenate([self.counts, merged]),
            levels=self.levels,
        )


def cooccurrence(
    levels_image: LevelsImage, levels: int, distance: int = 1
) -> Cooccurrence:
    """Count the pairs of grey levels, both ways round.

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region
    levels : number of grey levels N_g
    distance : step in pixels (Chebyshev)

    Returns
    -------
    Cooccurrence
        one row for each of `DIRECTIONS`. If a region is too thin for any pair in a direction, each
        pixel is paired with itself. This is the limit for a region without texture.
    """
    pairs_by_direction = [
        _pixel_pairs(levels_image, dy=dy * distance, dx=dx * distance)
        for dy, dx in DIRECTIONS
    ]
    if levels <= MAX_DENSE_LEVELS:
        return _dense_counts(levels_image, pairs_by_direction, levels)
    return _sparse_counts(levels_image, pairs_by_direction, levels)


def _pixel_pairs(image: LevelsImage, dy: int, dx: int) -> PixelPairs:
    """Return the image and its neighbours one step further.

    Both are cut to the pixels that have such a neighbour.
    """
    height, width = image.shape
    first_left = max(-dx, 0)
    first_right = max(width - max(dx, 0), 0)
    second_left = max(dx, 0)
    second_right = max(width - max(-dx, 0), 0)
    first = image[: max(height - dy, 0), first_left:first_right]
    second = image[dy:, second_left:second_right]
    return first, second


def _dense_counts(
    image: LevelsImage, pairs_by_direction: Sequence[PixelPairs], levels: int
) -> Cooccurrence:
    matrices = [_matrix(image, pairs, levels) for pairs in pairs_by_direction]
    counts = np.stack(matrices)
    first, second = np.divmod(np.arange(levels * levels), levels)
    return Cooccurrence(
        first=first + 1,
        second=second + 1,
        counts=counts.reshape(len(matrices), -1),
        levels=levels,
    )


def _matrix(image: LevelsImage, pairs: PixelPairs, levels: int) -> NDArray[np.int64]:
    """Return the matrix (N_g, N_g) of one direction."""
    first, second = pairs
    side = levels + 1
    fits_uint16 = side * side <= np.iinfo(np.uint16).max
    dtype: type[np.integer] = np.uint16 if fits_uint16 else np.int64
    codes: NDArray[np.integer] = first.astype(dtype, copy=False) * dtype(side) + second
    all_counts = np.bincount(codes.ravel(), minlength=side * side)
    counts = all_counts.reshape(side, side)[1:, 1:]
    if not counts.any():
        pixels_by_level = np.bincount(image.ravel(), minlength=side)
        return np.diag(pixels_by_level[1:])
    return counts + counts.T


def _sparse_counts(
    image: LevelsImage, pairs_by_direction: Sequence[PixelPairs], levels: int
) -> Cooccurrence:
    side = levels + 1
    codes = [_pair_codes(image, pairs, side) for pairs in pairs_by_direction]
    cells, cell_index = np.unique(np.concatenate(codes), return_inverse=True)
    ends = np.cumsum([part.size for part in codes])
    index_by_direction = np.split(cell_index, ends[:-1])
    counts = [np.bincount(index, minlength=cells.size) for index in index_by_direction]
    return Cooccurrence(
        first=cells // side,
        second=cells % side,
        counts=np.stack(counts),
        levels=levels,
    )


def _pair_codes(image: LevelsImage, pairs: PixelPairs, side: int) -> NDArray[np.int64]:
    """Return one number `first * side + second` for each pair, both ways round."""
    first, second = pairs
    inside = (first > 0) & (second > 0)
    first_levels = first[inside].astype(np.int64)
    second_levels = second[inside].astype(np.int64)
    if first_levels.size == 0:
        return image[image > 0].astype(np.int64) * (side + 1)
    forward = first_levels * side + second_levels
    backward = second_levels * side + first_levels
    return np.concatenate([forward, backward])


@dataclass(frozen=True, eq=False)
class Glcm:
    """M normalised co-occurrence matrices and their marginal distributions.

    Attributes
    ----------
    p : (M, K) probabilities of the K cells; each matrix is symmetric and sums to 1
    first, second : (K,) grey levels of the cells
    levels : number of grey levels N_g
    """

    p: Array
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    levels: int

    @classmethod
    def from_counts(cls, cooccurrence: Cooccurrence) -> "Glcm":
        totals = cooccurrence.counts.sum(-1, keepdims=True)
        return cls(
            p=cooccurrence.counts / totals,
            first=cooccurrence.first,
            second=cooccurrence.second,
            levels=cooccurrence.levels,
        )

    @cached_property
    def i(self) -> Array:
        """Grey levels 1..N_g."""
        return np.arange(1.0, self.levels + 1)

    @cached_property
    def marginal(self) -> Array:
        """p_i., which equals p_.j, (M, N_g)."""
        return self._summed_by(self.first - 1, self.levels)

    @cached_property
    def mean(self) -> Array:
        return self.marginal @ self.i

    @cached_property
    def difference_probabilities(self) -> Array:
        """p_{i-j} for differences 0..N_g-1, (M, N_g)."""
        return self._summed_by(np.abs(self.first - self.second), self.levels)

    @cached_property
    def sum_probabilities(self) -> Array:
        """p_{i+j} for sums 2..2 N_g, (M, 2 N_g - 1)."""
        return self._summed_by(self.first + self.second - 2, 2 * self.levels - 1)

    @cached_property
    def difference_values(self) -> Array:
        """Differences 0..N_g-1."""
        return np.arange(float(self.levels))

    @cached_property
    def sum_values(self) -> Array:
        """Sums 2..2 N_g."""
        return np.arange(2.0, 2 * self.levels + 1)

    @cached_property
    def joint_entropy(self) -> Array:
        return entropies(self.p)

    @cached_property
    def marginal_entropy(self) -> Array:
        return entropies(self.marginal)

    def sum_moment(self, order: int) -> Array:
        """Sum over i, j of (i + j - 2 mean)^order p_ij."""
        deviations = self.sum_values - 2 * self.mean[:, None]
        return sum_over(deviations**order * self.sum_probabilities)

    def _summed_by(self, index: NDArray[np.int64], size: int) -> Array:
        """Sum the cells' probabilities (M, size) by their `index` (K,) in 0..size-1."""
        return np.stack([np.bincount(index, matrix, size) for matrix in self.p])


def entropies(p: Array) -> Array:
    """Return Shannon entropy in bits of each row of `p` (M, K)."""
    return -sum_over(p * np.log2(np.where(p > 0, p, 1))) + 0.0


def joint_max(m: Glcm) -> Array:
    """Joint maximum (IBSI GYBY)."""
    largest: Array = m.p.max(-1)
    return largest


def joint_avg(m: Glcm) -> Array:
    """Joint average (IBSI 60VM): sum of i p_ij."""
    return m.mean


def joint_var(m: Glcm) -> Array:
    """Joint variance (IBSI UR99): sum of (i - mean)^2 p_ij."""
    return sum_over((m.i - m.mean[:, None]) ** 2 * m.marginal)


def joint_entr(m: Glcm) -> Array:
    """Joint entropy (IBSI TU9B)."""
    return m.joint_entropy


def diff_avg(m: Glcm) -> Array:
    """Difference average (IBSI TF7R)."""
    return m.difference_probabilities @ m.difference_values


def diff_var(m: Glcm) -> Array:
    """Difference variance (IBSI D3YU)."""
    return sum_over(
        (m.difference_values - diff_avg(m)[:, None]) ** 2 * m.difference_probabilities
    )


def diff_entr(m: Glcm) -> Array:
    """Difference entropy (IBSI NTRS)."""
    return entropies(m.difference_probabilities)


def sum_avg(m: Glcm) -> Array:
    """Sum average (IBSI ZGXS)."""
    return m.sum_probabilities @ m.sum_values


def sum_var(m: Glcm) -> Array:
    """Sum variance (IBSI OEEB)."""
    return sum_over((m.sum_values - sum_avg(m)[:, None]) ** 2 * m.sum_probabilities)


def sum_entr(m: Glcm) -> Array:
    """Sum entropy (IBSI P6QZ)."""
    return entropies(m.sum_probabilities)


def energy(m: Glcm) -> Array:
    """Angular second moment (IBSI 8ZQL): sum of p_ij^2."""
    return sum_over(m.p**2)


def contrast(m: Glcm) -> Array:
    """Contrast (IBSI ACUI): sum of (i - j)^2 p_ij."""
    return m.difference_probabilities @ m.difference_values**2


def dissimilarity(m: Glcm) -> Array:
    """Dissimilarity (IBSI 8S9J): sum of |i - j| p_ij."""
    return diff_avg(m)


def inv_diff(m: Glcm) -> Array:
    """Inverse difference (IBSI IB1Z)."""
    return m.difference_probabilities @ (1 / (1 + m.difference_values))


def inv_diff_norm(m: Glcm) -> Array:
    """Normalised inverse difference (IBSI NDRX)."""
    return m.difference_probabilities @ (1 / (1 + m.difference_values / m.levels))


def inv_diff_mom(m: Glcm) -> Array:
    """Inverse difference moment (IBSI WF0Z)."""
    return m.difference_probabilities @ (1 / (1 + m.difference_values**2))


def inv_diff_mom_norm(m: Glcm) -> Array:
    """Normalised inverse difference moment (IBSI 1QCO)."""
    return m.difference_probabilities @ (
        1 / (1 + (m.difference_values / m.levels) ** 2)
    )


def inv_var(m: Glcm) -> Array:
    """Inverse variance (IBSI E8JP), without the pairs of equal level."""
    return m.difference_probabilities[:, 1:] @ (1 / m.difference_values[1:] ** 2)


def corr(m: Glcm) -> Array:
    """Correlation (IBSI NI2N).

    It is 1 if one level fills the region. That is the limit of pairs that always agree.
    """
    variance = joint_var(m)
    covariance = auto_corr(m) - m.mean**2
    denominator = np.where(variance > 0, variance, 1)
    return np.where(variance > 0, covariance / denominator, 1.0)


def auto_corr(m: Glcm) -> Array:
    """Autocorrelation (IBSI QWB0): sum of i j p_ij."""
    return m.p @ (m.first * m.second).astype(np.float64)


def clust_tend(m: Glcm) -> Array:
    """Cluster tendency (IBSI DG8W)."""
    return m.sum_moment(2)


def clust_shade(m: Glcm) -> Array:
    """Cluster shade (IBSI 7NFM)."""
    return m.sum_moment(3)


def clust_prom(m: Glcm) -> Array:
    """Cluster prominence (IBSI AE86)."""
    return m.sum_moment(4)


def info_corr1(m: Glcm) -> Array:
    """First measure of information correlation (IBSI R8DG).

    It is 0 if there is only one level, because that leaves no information. By symmetry HXY1, the
    sum of -p_ij log(p_i. p_.j), is twice the marginal entropy.
    """
    entropy = m.marginal_entropy
    denominator = np.where(entropy > 0, entropy, 1)
    return np.where(entropy > 0, (m.joint_entropy - 2 * entropy) / denominator, 0.0)


def info_corr2(m: Glcm) -> Array:
    """Second measure of information correlation (IBSI JN9H).

    It uses HXY2, which is twice the marginal entropy.
    """
    shared_bits = 2 * m.marginal_entropy - m.joint_entropy
    correlation: Array = np.sqrt(np.maximum(1 - np.exp(-2 * shared_bits), 0))
    return correlation


FEATURES: tuple[Callable[[Glcm], Array], ...] = (
    joint_max,
    joint_avg,
    joint_var,
    joint_entr,
    diff_avg,
    diff_var,
    diff_entr,
    sum_avg,
    sum_var,
    sum_entr,
    energy,
    contrast,
    dissimilarity,
    inv_diff,
    inv_diff_norm,
    inv_diff_mom,
    inv_diff_mom_norm,
    inv_var,
    corr,
    auto_corr,
    clust_tend,
    clust_shade,
    clust_prom,
    info_corr1,
    info_corr2,
)


def glcm_features(
    levels_image: LevelsImage, levels: int, distance: int = 1
) -> dict[str, float]:
    """Compute all GLCM features, averaged over the directions and of the merged directions.

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region
    levels : number of grey levels N_g, up to 65535
    distance : step in pixels (Chebyshev)

    Returns
    -------
    features by name; names end in `_avg` (averaged) or `_comb` (merged)
    """
    pairs = cooccurrence(levels_image, levels, distance)
    matrices = Glcm.from_counts(pairs.with_merged_row())
    averaged: dict[str, float] = {}
    merged: dict[str, float] = {}
    for feature in FEATURES:
        values = feature(matrices)
        averaged[f"{feature.__name__}_avg"] = float(values[:-1].mean())
        merged[f"{feature.__name__}_comb"] = float(values[-1])
    return averaged | merged
