"""Grey level co-occurrence (IBSI, section 3.6): horizontal, vertical, 45 and 135 degrees, and all together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.arrays import Array, sum_over

DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Steps in rows and columns: 0, 135, 90 and 45 degrees; the opposite steps are in by symmetry."""


Shifted = list[tuple[NDArray[np.uint16], NDArray[np.uint16]]]

DENSE = 256
"""Grey levels up to which a whole matrix is counted at once; of more levels only the pairs that occur are kept."""


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Symmetric counts of pairs of grey levels: cell k pairs level `first[k]` with `second[k]`, both 1..`levels`.

    `first`, `second` (K,) int64; `counts` (M, K) int64. Cells that no direction fills need not be there.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    counts: NDArray[np.int64]
    levels: int

    def with_merged_row(self) -> "Cooccurrence":
        """With the sum over all directions as one more row."""
        counts = np.concatenate([self.counts, self.counts.sum(0, keepdims=True)])
        return Cooccurrence(self.first, self.second, counts, self.levels)


def cooccurrence(
    levels_image: NDArray[np.uint16], levels: int, distance: int = 1
) -> Cooccurrence:
    """Symmetric co-occurrence counts.

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region
    levels : number of grey levels N_g
    distance : step in pixels (Chebyshev)

    Returns
    -------
    Cooccurrence
        one row for each of `DIRECTIONS`. Of a region too thin for any pair in a direction, each pixel is paired with
        itself: the limit of a region without texture.
    """
    shifted = [
        _shifted(levels_image, dy * distance, dx * distance) for dy, dx in DIRECTIONS
    ]
    return (
        _whole(levels_image, shifted, levels)
        if levels <= DENSE
        else _occurring(levels_image, shifted, levels)
    )


def _shifted(
    image: NDArray[np.uint16], dy: int, dx: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The image and its neighbours one step on, cut to where both are."""
    height, width = image.shape
    first = image[: max(height - dy, 0), max(-dx, 0) : max(width - max(dx, 0), 0)]
    second = image[dy:, max(dx, 0) : max(width - max(-dx, 0), 0)]
    return first, second


def _whole(image: NDArray[np.uint16], shifted: Shifted, levels: int) -> Cooccurrence:
    counts = np.stack(
        [_matrix(image, first, second, levels + 1) for first, second in shifted]
    )
    first, second = np.divmod(np.arange(levels * levels), levels)
    return Cooccurrence(first + 1, second + 1, counts.reshape(len(shifted), -1), levels)


def _matrix(
    image: NDArray[np.uint16],
    first: NDArray[np.uint16],
    second: NDArray[np.uint16],
    side: int,
) -> NDArray[np.int64]:
    narrow: type[np.integer] = (
        np.uint16 if side * side <= np.iinfo(np.uint16).max else np.int64
    )
    codes: NDArray[np.integer] = (
        first.astype(narrow, copy=False) * narrow(side) + second
    )
    counts = np.bincount(codes.ravel(), minlength=side * side).reshape(side, side)[
        1:, 1:
    ]
    if not counts.any():
        return np.diag(np.bincount(image.ravel(), minlength=side)[1:])
    return counts + counts.T


def _occurring(
    image: NDArray[np.uint16], shifted: Shifted, levels: int
) -> Cooccurrence:
    side = levels + 1
    codes = [_codes(image, first, second, side) for first, second in shifted]
    cells, place = np.unique(np.concatenate(codes), return_inverse=True)
    by_direction = np.split(place, np.cumsum([part.size for part in codes])[:-1])
    counts = np.stack(
        [np.bincount(part, minlength=cells.size) for part in by_direction]
    )
    return Cooccurrence(cells // side, cells % side, counts, levels)


def _codes(
    image: NDArray[np.uint16],
    first: NDArray[np.uint16],
    second: NDArray[np.uint16],
    side: int,
) -> NDArray[np.int64]:
    """One number for each pair, both ways round."""
    both = (first > 0) & (second > 0)
    here, there = (part[both].astype(np.int64) for part in (first, second))
    if here.size == 0:
        return image[image > 0].astype(np.int64) * (side + 1)
    return np.concatenate([here * side + there, there * side + here])


@dataclass(frozen=True, eq=False)
class Glcm:
    """Probabilities `p` (M, K) of the K cells, each of the M matrices symmetric and summing to 1."""

    p: Array
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    levels: int

    @classmethod
    def from_counts(cls, pairs: Cooccurrence) -> "Glcm":
        return cls(
            pairs.counts / pairs.counts.sum(-1, keepdims=True),
            pairs.first,
            pairs.second,
            pairs.levels,
        )

    @cached_property
    def i(self) -> Array:
        """Grey levels 1..N_g."""
        return np.arange(1.0, self.levels + 1)

    @cached_property
    def marginal(self) -> Array:
        """p_i., the same as p_.j, (M, N_g)."""
        return self._folded(self.first - 1, self.levels)

    @cached_property
    def mean(self) -> Array:
        return self.marginal @ self.i

    @cached_property
    def difference_probabilities(self) -> Array:
        """p_{i-j} for differences 0..N_g-1, (M, N_g)."""
        return self._folded(np.abs(self.first - self.second), self.levels)

    @cached_property
    def sum_probabilities(self) -> Array:
        """p_{i+j} for sums 2..2 N_g, (M, 2 N_g - 1)."""
        return self._folded(self.first + self.second - 2, 2 * self.levels - 1)

    @cached_property
    def difference_values(self) -> Array:
        return np.arange(float(self.levels))

    @cached_property
    def sum_values(self) -> Array:
        return np.arange(2.0, 2 * self.levels + 1)

    @cached_property
    def joint_entropy(self) -> Array:
        return entropies(self.p)

    @cached_property
    def marginal_entropy(self) -> Array:
        return entropies(self.marginal)

    def sum_moment(self, order: int) -> Array:
        """Sum over i, j of (i + j - 2 mean)^order p_ij."""
        return sum_over((self.sum_values - 2 * self.mean[:, None]) ** order * self.sum_probabilities)

    def _folded(self, index: NDArray[np.int64], size: int) -> Array:
        return np.stack([np.bincount(index, matrix, size) for matrix in self.p])


def entropies(p: Array) -> Array:
    """Shannon's entropy in bits of each row of `p` (M, K)."""
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
    return sum_over((m.difference_values - diff_avg(m)[:, None]) ** 2 * m.difference_probabilities)


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
    return m.difference_probabilities @ (1 / (1 + (m.difference_values / m.levels) ** 2))


def inv_var(m: Glcm) -> Array:
    """Inverse variance (IBSI E8JP); pairs of equal level stay out."""
    return m.difference_probabilities[:, 1:] @ (1 / m.difference_values[1:] ** 2)


def corr(m: Glcm) -> Array:
    """Correlation (IBSI NI2N); 1 where one level fills the region, the limit of pairs that always agree."""
    variance = joint_var(m)
    covariance = auto_corr(m) - m.mean**2
    return np.where(variance > 0, covariance / np.where(variance > 0, variance, 1), 1.0)


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
    """First measure of information correlation (IBSI R8DG); 0 where one level leaves nothing to inform about.

    By symmetry its HXY1, -sum of p_ij log(p_i. p_.j), is twice the marginal entropy.
    """
    entropy = m.marginal_entropy
    return np.where(
        entropy > 0,
        (m.joint_entropy - 2 * entropy) / np.where(entropy > 0, entropy, 1),
        0.0,
    )


def info_corr2(m: Glcm) -> Array:
    """Second measure of information correlation (IBSI JN9H), from HXY2, which is twice the marginal entropy."""
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
    levels_image: NDArray[np.uint16], levels: int, distance: int = 1
) -> dict[str, float]:
    """All GLCM features, averaged over the directions (`_avg`) and of the directions merged (`_comb`).

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region
    levels : number of grey levels N_g, up to 65535
    distance : step in pixels (Chebyshev)
    """
    matrices = Glcm.from_counts(cooccurrence(levels_image, levels, distance).with_merged_row())
    measured = {feature.__name__: feature(matrices) for feature in FEATURES}
    averaged = {
        f"{name}_avg": float(value[:-1].mean()) for name, value in measured.items()
    }
    return averaged | {
        f"{name}_comb": float(value[-1]) for name, value in measured.items()
    }
