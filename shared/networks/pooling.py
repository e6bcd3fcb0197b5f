"""Pools feature maps to features: over the crop, the nodule, its rim, or the tissue around it.

Some signs of malignancy depend on the place: echogenicity is judged against the surrounding tissue,
and margins along the rim.
"""

import math
from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from shared.networks.card import Pool

RIM_DIVISOR = 32
"""The rim extends 1/32 of the input's side to both sides of the outline."""
SURROUNDINGS_DIVISOR = 15
"""The surroundings extend 1/15 of the input's side beyond the outline."""
EPSILON = 1e-6
"""Avoids a division by 0: the features of a region without pixels are 0."""


def nodule_regions(masks: Tensor) -> dict[Pool, Tensor]:
    """Return the weights (N, 1, S, S) of each region.

    Parameters
    ----------
    masks : (N, 1, S, S), 1 inside the nodule, else 0
    """
    side = masks.shape[-1]
    rim_px = side // RIM_DIVISOR
    surroundings_px = side // SURROUNDINGS_DIVISOR
    return {
        Pool.INSIDE: masks,
        Pool.RIM: _dilate(masks, rim_px) + _dilate(1 - masks, rim_px) - 1,
        Pool.SURROUNDINGS: _dilate(masks, surroundings_px) - masks,
    }


def pool_maps(maps: Tensor, pool: Pool, regions: Mapping[Pool, Tensor]) -> Tensor:
    """Pool feature maps (N, C, H, W), or tokens (N, 1 + H W, C), to features (N, C).

    Flat features (N, C) are returned unchanged.
    """
    if pool is Pool.FLAT:
        return maps
    if pool is Pool.CLASS:
        return maps[:, 0]
    maps = spatial_maps(maps)
    if pool is Pool.AVERAGE:
        return maps.mean((2, 3))
    if pool is Pool.MAX:
        return maps.amax((2, 3))
    if pool is Pool.CENTRE:
        return _middle(maps).mean((2, 3))
    weights = functional.interpolate(regions[pool], maps.shape[2:], mode="area")
    weighted_sum = (maps * weights).sum((2, 3))
    return weighted_sum / (weights.sum((2, 3)) + EPSILON)


def spatial_maps(output: Tensor) -> Tensor:
    """Return a stage's output as feature maps (N, C, H, W).

    Maps are returned unchanged. Of tokens (N, 1 + H W, C), the class token is dropped and the patch
    tokens get back their places in a square grid.
    """
    if output.ndim != 3:
        return output
    patches = output[:, 1:]
    side = math.isqrt(patches.shape[1])
    maps: Tensor = patches.transpose(1, 2).unflatten(2, (side, side))
    return maps


def _middle(maps: Tensor) -> Tensor:
    """Return the middle half of both sides, in which a user places the nodule."""
    height, width = maps.shape[2:]
    top = height // 4
    left = width // 4
    return maps[:, :, top : height - top, left : width - left]


def _dilate(masks: Tensor, reach_px: int) -> Tensor:
    """Dilate by a square, along one axis after the other. Pixels beyond the image's edge are 0."""
    width = 2 * reach_px + 1
    along_rows = functional.max_pool2d(
        masks, (1, width), stride=1, padding=(0, reach_px)
    )
    return functional.max_pool2d(
        along_rows, (width, 1), stride=1, padding=(reach_px, 0)
    )
