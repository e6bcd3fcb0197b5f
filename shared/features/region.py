"""The pixels that a feature is computed from, and their grey levels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.features.errors import EmptyRegion


@dataclass(frozen=True, eq=False)
class Region:
    """An image part with the mask of the nodule in it.

    Attributes
    ----------
    values : (H, W), cut to the bounding box of `mask`
    mask : (H, W) bool, never empty
    uncropped : the image that the region was cut from, with its mask
    """

    values: NDArray[np.number]
    mask: NDArray[np.bool_]
    uncropped: "Region | None" = None

    @classmethod
    def from_mask(cls, values: NDArray[np.number], mask: NDArray[np.bool_]) -> "Region":
        """Cut `values` (H, W) to the bounding box of `mask` (H, W).

        Raises
        ------
        EmptyRegion
            if the mask is empty.
        """
        rows = np.flatnonzero(mask.any(1))
        columns = np.flatnonzero(mask.any(0))
        if rows.size == 0:
            raise EmptyRegion()
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(
            values=np.ascontiguousarray(values[window]),
            mask=np.ascontiguousarray(mask[window], bool),
            uncropped=cls(values=values, mask=mask.astype(bool)),
        )

    @cached_property
    def masked_values(self) -> NDArray[np.number]:
        """Values under the mask, (n,)."""
        return self.values[self.mask]


def discretise(region: Region, levels: int) -> NDArray[np.uint16]:
    """Divide the values of a region into grey levels.

    The number of bins is fixed and their range is the region's own (IBSI K15C), so that contrast
    and not gain decides the level. A constant region has level 1 throughout.

    Returns
    -------
    (H, W) uint16, grey levels 1..`levels` inside the mask and 0 outside
    """
    low = float(region.masked_values.min())
    high = float(region.masked_values.max())
    if region.values.dtype == np.uint8:
        all_values = np.arange(256, dtype=np.float64)
        table = _grey_levels(all_values, low=low, high=high, levels=levels)
        levels_image = table[region.values]
    else:
        levels_image = _grey_levels(region.values, low=low, high=high, levels=levels)
    return np.where(region.mask, levels_image, np.uint16(0))


def _grey_levels(
    values: NDArray[np.number], low: float, high: float, levels: int
) -> NDArray[np.uint16]:
    if high == low:
        return np.ones(values.shape, np.uint16)
    position = np.floor((values - low) * (levels / (high - low))) + 1
    grey_levels: NDArray[np.uint16] = np.clip(position, 1, levels).astype(np.uint16)
    return grey_levels
