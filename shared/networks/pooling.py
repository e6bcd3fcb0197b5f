"""From feature maps to features: over the whole crop, or over the nodule, its rim, or the tissue around it.

What speaks for malignancy is partly a matter of place: echogenicity is judged against the tissue around, and margins
along the rim.
"""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from shared.networks.card import Pool

RIM_DIVISOR = 32
SURROUNDINGS_DIVISOR = 15
"""The rim reaches 1/32 of the input's side to both sides of the outline, the tissue around 1/15 beyond it."""
EPSILON = 1e-6
"""Where a region holds no pixel, its features are 0."""


def nodule_regions(masks: Tensor) -> dict[Pool, Tensor]:
    """Masks (N, 1, S, S), 1 inside the nodule -> weights of the same shape for each region."""
    rim, around = (
        masks.shape[-1] // part for part in (RIM_DIVISOR, SURROUNDINGS_DIVISOR)
    )
    return {
        Pool.INSIDE: masks,
        Pool.RIM: _grown(masks, rim) + _grown(1 - masks, rim) - 1,
        Pool.SURROUNDINGS: _grown(masks, around) - masks,
    }


def pool_maps(maps: Tensor, pool: Pool, regions: Mapping[Pool, Tensor]) -> Tensor:
    """Feature maps (N, C, H, W) -> features (N, C); what is flat already stays as it is."""
    if pool is Pool.FLAT:
        return maps
    if pool is Pool.AVERAGE:
        return maps.mean((2, 3))
    if pool is Pool.MAX:
        return maps.amax((2, 3))
    if pool is Pool.CENTRE:
        return _middle(maps).mean((2, 3))
    weights = functional.interpolate(regions[pool], maps.shape[2:], mode="area")
    return (maps * weights).sum((2, 3)) / (weights.sum((2, 3)) + EPSILON)


def _middle(maps: Tensor) -> Tensor:
    """The middle half of both sides, where a reader puts the nodule."""
    height, width = maps.shape[2:]
    return maps[
        :, :, height // 4 : height - height // 4, width // 4 : width - width // 4
    ]


def _grown(masks: Tensor, reach_px: int) -> Tensor:
    """Dilated by a square, along one axis after the other; nothing is beyond the edge of the image."""
    width = 2 * reach_px + 1
    along_rows = functional.max_pool2d(
        masks, (1, width), stride=1, padding=(0, reach_px)
    )
    return functional.max_pool2d(
        along_rows, (width, 1), stride=1, padding=(reach_px, 0)
    )
