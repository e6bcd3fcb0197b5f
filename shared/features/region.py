"""The pixels a feature looks at, and their grey levels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.errors import EmptyRegion


@dataclass(frozen=True, eq=False)
class Region:
    """Values (H, W) cut to the bounding box of `mask` (H, W) bool, which is not empty.

    `whole` is what they were cut from.
    """

    values: NDArray[np.number]
    mask: NDArray[np.bool_]
    uncropped: "Region | None" = None

    @classmethod
    def from_mask(cls, values: NDArray[np.number], mask: NDArray[np.bool_]) -> "Region":
        """Cut to the mask's bounding box; `EmptyRegion` where the mask is empty."""
        rows = np.flatnonzero(mask.any(1))
        columns = np.flatnonzero(mask.any(0))
        if rows.size == 0:
            raise EmptyRegion()
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        inside = (
            np.ascontiguousarray(values[window]),
            np.ascontiguousarray(mask[window], bool),
        )
        return cls(*inside, whole=cls(values, mask.astype(bool)))

    @cached_property
    def masked_values(self) -> NDArray[np.number]:
        """Values under the mask, (n,)."""
        return self.values[self.mask]


def discretise(region: Region, levels: int) -> NDArray[np.uint16]:
    """Grey levels 1..`levels` inside the mask and 0 outside, (H, W).

    Fixed bin number over the region's own range (IBSI K15C): contrast, not gain, decides the level. A constant region
    has level 1 throughout.
    """
    low = region.masked_values.min()
    high = region.masked_values.max()
    if region.values.dtype == np.uint8:
        table = _bins(np.arange(256, dtype=np.float64), float(low), float(high), levels)
        binned = table[region.values]
    else:
        binned = _bins(region.values, float(low), float(high), levels)
    return np.where(region.mask, binned, np.uint16(0))


def _bins(
    values: NDArray[np.number], low: float, high: float, levels: int
) -> NDArray[np.uint16]:
    if high == low:
        return np.ones(values.shape, np.uint16)
    position = np.floor((values - low) * (levels / (high - low))) + 1
    levels_inside: NDArray[np.uint16] = np.clip(position, 1, levels).astype(np.uint16)
    return levels_inside
