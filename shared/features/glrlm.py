"""Features of grey level run lengths, GLRLM (IBSI, section 3.7).

Each feature is computed along four directions and for all directions together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.arrays import Array, sum_over

LevelsImage = NDArray[np.uint16]


def run_lengths(levels_image: LevelsImage, levels: int) -> NDArray[np.int64]:
    """Count the runs of equal grey level.

    Parameters
    ----------
    levels_image : (H, W) grey levels 1..levels, 0 outside the region; a 0 ends a run
    levels : number of grey levels N_g

    Returns
    -------
    (4, N_g, N_r) int64 for 0, 90, 45 and 135 degrees; N_r is the longest run in pixels
    """
    lines_by_direction = (
        levels_image,
        levels_image.T,
        _diagonals(levels_image),
        _diagonals(levels_image[:, ::-1]),
    )
    runs_by_direction = [_find_runs(lines) for lines in lines_by_direction]
    longest = max(int(lengths.max()) for _, lengths in runs_by_direction)
    counts = [
        _count_runs(values, lengths, levels=levels, longest=longest)
        for values, lengths in runs_by_direction
    ]
    return np.stack(counts)


def _diagonals(image: LevelsImage) -> LevelsImage:
    """Return the diagonals that run down and to the left, one in each row, padded with 0.

    The rows are padded to H + W and read back in rows of H + W - 1. Thus each row is shifted by one
    pixel more than the row above it, and the diagonals become columns.
    """
    height, width = image.shape
    padded = np.zeros((height, width + height), image.dtype)
    padded[:, :width] = image
    shifted_width = width + height - 1
    shifted = padded.ravel()[: height * shifted_width]
    return shifted.reshape(height, shifted_width).T


def _find_runs(lines: LevelsImage) -> tuple[LevelsImage, NDArray[np.int64]]:
    """Find the level and length of each run along the rows of `lines`."""
    rows, length = lines.shape
    separated = np.zeros((rows, length + 1), lines.dtype)
    separated[:, :length] = lines
    flat = separated.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], changes])
    values = flat[starts]
    lengths = np.diff(starts, append=flat.size)
    inside = values > 0
    return values[inside], lengths[inside]


def _count_runs(
    values: LevelsImage, lengths: NDArray[np.int64], levels: int, longest: int
) -> NDArray[np.int64]:
    codes = (values.astype(np.int64) - 1) * longest + lengths - 1
    counts = np.bincount(codes, minlength=levels * longest)
    return counts.reshape(levels, longest)


@dataclass(frozen=True, eq=False)
class Glrlm:
    """M run length matrices of the P grey levels that occur.

    Attributes
    ----------
    r : (M, P, N_r) run counts
    i : (P,) the grey levels
    """

    r: Array
    i: Array

    @classmethod
    def from_levels_image(cls, image: LevelsImage) -> "Glrlm":
        """Return the matrices of an image (H, W) of grey levels, 0 outside the region.

        There is one matrix for each direction, and the last is their sum. Levels that do not occur
        add nothing to any feature. They are left out, so that only the levels in the image take
        time, and not all 65535 possible levels.
        """
        levels = np.flatnonzero(np.bincount(image.ravel()))
        levels = levels[levels > 0]
        rank = np.zeros(int(levels[-1]) + 1, np.uint16)
        rank[levels] = np.arange(1, levels.size + 1)
        counts = run_lengths(rank[image], levels.size)
        merged = counts.sum(0, keepdims=True)
        all_counts = np.concatenate([counts, merged])
        return cls(r=all_counts.astype(np.float64), i=levels.astype(np.float64))

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
        """Run lengths 1..N_r in pixels."""
        return np.arange(1.0, self.r.shape[-1] + 1)

    def weighted(self, by_level: Array, by_length: Array) -> Array:
        """Return the mean over the runs of `by_level` (P,) times `by_length` (N_r,)."""
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
    """Run percentage (IBSI 9ZK5): number of runs over the number of pixels in them."""
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


def _variance(p: Array, values: Array) -> Array:
    means = (p @ values)[:, None]
    return sum_over((values - means) ** 2 * p)


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


def glrlm_features(levels_image: LevelsImage) -> dict[str, float]:
    """Compute all GLRLM features, averaged over the directions and of the merged directions.

    Parameters
    ----------
    levels_image : (H, W) grey levels from 1, 0 outside the region

    Returns
    -------
    features by name; names end in `_avg` (averaged) or `_comb` (merged)
    """
    matrices = Glrlm.from_levels_image(levels_image)
    averaged: dict[str, float] = {}
    merged: dict[str, float] = {}
    for feature in FEATURES:
        values = feature(matrices)
        averaged[f"{feature.__name__}_avg"] = float(values[:-1].mean())
        merged[f"{feature.__name__}_comb"] = float(values[-1])
    return averaged | merged
