"""Grey level run lengths (IBSI, section 3.7) along four directions, and all together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.arrays import Array, sum_over


def run_lengths(levels_image: NDArray[np.uint16], levels: int) -> NDArray[np.int64]:
    """Counts of runs of equal grey level.

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region, which ends a run

    Returns
    -------
    (4, N_g, N_r) int64 for 0, 90, 45 and 135 degrees; N_r is the longest run there is, in pixels.
    """
    lines = (
        levels_image,
        levels_image.T,
        _diagonals(levels_image),
        _diagonals(levels_image[:, ::-1]),
    )
    runs = [_runs(line) for line in lines]
    longest = max(int(lengths.max()) for _, lengths in runs)
    return np.stack(
        [_tally(values, lengths, levels, longest) for values, lengths in runs]
    )


def _diagonals(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The diagonals that run down and to the left, one a row, filled up with 0.

    Rows padded to H + W and read back in rows of H + W - 1 slide one pixel further each: diagonals stand upright.
    """
    height, width = image.shape
    padded = np.zeros((height, width + height), image.dtype)
    padded[:, :width] = image
    return (
        padded.ravel()[: height * (width + height - 1)]
        .reshape(height, width + height - 1)
        .T
    )


def _runs(lines: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Level and length of each run along the rows of `lines`."""
    rows, length = lines.shape
    flat = np.zeros((rows, length + 1), lines.dtype)
    flat[:, :length] = lines
    flat = flat.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    values = flat[starts]
    lengths = np.diff(starts, append=flat.size)
    inside = values > 0
    return values[inside], lengths[inside]


def _tally(
    values: NDArray[np.uint16], lengths: NDArray[np.int64], levels: int, longest: int
) -> NDArray[np.int64]:
    codes = (values.astype(np.int64) - 1) * longest + lengths - 1
    return np.bincount(codes, minlength=levels * longest).reshape(levels, longest)


@dataclass(frozen=True, eq=False)
class Glrlm:
    """Run counts `r` (M, P, N_r) of the P grey levels `i` that occur."""

    r: Array
    i: Array

    @classmethod
    def from_levels_image(cls, image: NDArray[np.uint16]) -> "Glrlm":
        """Matrices of an image (H, W) of grey levels, 0 outside: one for each direction, and the sum of them all.

        Levels that do not occur add nothing to any feature, so that 65535 levels cost no more than those there are.
        """
        occurring = np.flatnonzero(np.bincount(image.ravel()))
        occurring = occurring[occurring > 0]
        rank = np.zeros(int(occurring[-1]) + 1, np.uint16)
        rank[occurring] = np.arange(1, occurring.size + 1)
        counts = run_lengths(rank[image], occurring.size)
        merged = np.concatenate([counts, counts.sum(0, keepdims=True)])
        return cls(merged.astype(np.float64), occurring.astype(np.float64))

    @cached_property
    def run_count(self) -> Array:
        """N_s, number of runs, (M,)."""
        return sum_over(self.r, axis=(-2, -1))

    @cached_property
    def by_level(self) -> Array:
        """r_i., (M, P)."""
        return sum_over(self.r)

    @cached_property
    def by_length(self) -> Array:
        """r_.j, (M, N_r)."""
        return sum_over(self.r, axis=-2)

    @cached_property
    def j(self) -> Array:
        return np.arange(1.0, self.r.shape[-1] + 1)

    def weighted(self, by_level: Array, by_length: Array) -> Array:
        """Mean over runs of `by_level` (P,) times `by_length` (N_r,)."""
        return (self.r @ by_length) @ by_level / self.run_count


def sre(m: Glrlm) -> Array:
    """Short runs emphasis (IBSI 22OV)."""
    return m.by_length @ m.j**-2 / m.run_count


def lre(m: Glrlm) -> Array:
    """Long runs emphasis (IBSI W4KF)."""
    return m.by_length @ m.j**2 / m.run_count


def lgre(m: Glrlm) -> Array:
    """Low grey level run emphasis (IBSI V3SW)."""
    return m.by_level @ m.i**-2 / m.run_count


def hgre(m: Glrlm) -> Array:
    """High grey level run emphasis (IBSI G3QZ)."""
    return m.by_level @ m.i**2 / m.run_count


def srlge(m: Glrlm) -> Array:
    """Short run low grey level emphasis (IBSI HTZT)."""
    return m.weighted(m.i**-2, m.j**-2)


def srhge(m: Glrlm) -> Array:
    """Short run high grey level emphasis (IBSI GD3A)."""
    return m.weighted(m.i**2, m.j**-2)


def lrlge(m: Glrlm) -> Array:
    """Long run low grey level emphasis (IBSI IVPO)."""
    return m.weighted(m.i**-2, m.j**2)


def lrhge(m: Glrlm) -> Array:
    """Long run high grey level emphasis (IBSI 3KUM)."""
    return m.weighted(m.i**2, m.j**2)


def glnu(m: Glrlm) -> Array:
    """Grey level non-uniformity (IBSI R5YN)."""
    return sum_over(m.by_level**2) / m.run_count


def glnu_norm(m: Glrlm) -> Array:
    """Normalised grey level non-uniformity (IBSI OVBL)."""
    return glnu(m) / m.run_count


def rlnu(m: Glrlm) -> Array:
    """Run length non-uniformity (IBSI W92Y)."""
    return sum_over(m.by_length**2) / m.run_count


def rlnu_norm(m: Glrlm) -> Array:
    """Normalised run length non-uniformity (IBSI IC23)."""
    return rlnu(m) / m.run_count


def r_perc(m: Glrlm) -> Array:
    """Run percentage (IBSI 9ZK5): runs of the possible ones, which are the pixels passed."""
    return m.run_count / (m.by_length @ m.j)


def gl_var(m: Glrlm) -> Array:
    """Grey level variance (IBSI 8CE5)."""
    return _variance(m.by_level / m.run_count[:, None], m.i)


def rl_var(m: Glrlm) -> Array:
    """Run length variance (IBSI SXLW)."""
    return _variance(m.by_length / m.run_count[:, None], m.j)


def rl_entr(m: Glrlm) -> Array:
    """Run entropy (IBSI HJ9O)."""
    p = m.r / m.run_count[:, None, None]
    return -sum_over(p * np.log2(np.where(p > 0, p, 1)), axis=(-2, -1)) + 0.0


def _variance(p: Array, at: Array) -> Array:
    return sum_over((at - (p @ at)[:, None]) ** 2 * p)


FEATURES: tuple[Callable[[Glrlm], Array], ...] = (
    sre,
    lre,
    lgre,
    hgre,
    srlge,
    srhge,
    lrlge,
    lrhge,
    glnu,
    glnu_norm,
    rlnu,
    rlnu_norm,
    r_perc,
    gl_var,
    rl_var,
    rl_entr,
)


def glrlm_features(levels_image: NDArray[np.uint16]) -> dict[str, float]:
    """All GLRLM features, averaged over the directions (`_avg`) and of the directions merged (`_comb`).

    Parameters
    ----------
    levels_image : (H, W) grey levels from 1, 0 outside the region
    """
    matrices = Glrlm.from_levels_image(levels_image)
    measured = {feature.__name__: feature(matrices) for feature in FEATURES}
    averaged = {
        f"{name}_avg": float(value[:-1].mean()) for name, value in measured.items()
    }
    return averaged | {
        f"{name}_comb": float(value[-1]) for name, value in measured.items()
    }
