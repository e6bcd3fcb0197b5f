"""How well the outline networks agree with people's outlines of patients that they never saw."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from shared.imaging.image import Box
from shared.imaging.regions.roi import Click, RealBox, Roi
from shared.learning.outlining import OutlineNetworks
from shared.outlines import NetworkOutliner, OutlineExample
from shared.outlines.examples import draw_click, loosen_box, mask_box
from shared.statistics import dice

LOOSE_SHARES = {"box": 0.0, "loose_box_15": 0.15, "loose_box_30": 0.3}
"""How far the sides of the boxes are off at most, by the name of the metric."""
CLICK = "click"
WITHOUT_BOX = "none"


def held_out_dice(folds: OutlineNetworks, seed: int) -> Mapping[str, float]:
    """Return the mean Dice against the union of a picture's outlines, by the kind of ROI.

    Each picture is outlined by a network that saw none of its patient: from the box of each of its
    nodules, from loose boxes, from a click inside each, and without a box. The names begin with `outline_dice_`.
    """
    random = np.random.default_rng(seed)
    click_random = np.random.default_rng(seed)
    agreements: dict[str, list[float]] = {}
    for outliner, example in folds.held_out():
        for name, outlined in _outlined(outliner, example, random, click_random):
            agreements.setdefault(name, []).append(dice(outlined, example.union))
    return {
        f"outline_dice_{name}": float(np.mean(values))
        for name, values in agreements.items()
    }


def _outlined(
    outliner: NetworkOutliner,
    example: OutlineExample,
    random: np.random.Generator,
    click_random: np.random.Generator,
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the pixels (height, width) that are outlined with each kind of ROI."""
    height, width = example.pixels.shape
    picture = Box(x=0, y=0, width=width, height=height)

    def union_of(boxes: list[RealBox]) -> NDArray[np.bool_]:
        union = np.zeros_like(example.union)
        for box in boxes:
            union |= outliner.trace(example.pixels, Roi(box=box)).mask(picture)
        return union

    def proposed(click: Click | None) -> list[RealBox]:
        proposals = outliner.propose(example.pixels, picture, click)
        return [proposal.roi.real_box for proposal in proposals]

    boxes = [mask_box(mask) for mask in example.masks]
    for name, share in LOOSE_SHARES.items():
        loose = [loosen_box(box, random.uniform(-share, share, 4)) for box in boxes]
        yield name, union_of(loose)
    clicked = []
    for mask in example.masks:
        clicked += proposed(draw_click(mask, click_random))
    yield CLICK, union_of(clicked)
    yield WITHOUT_BOX, union_of(proposed(None))
