"""Golden cases of the outline network: drawn pictures, and the outlines when it was saved."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import OutlinesNotReproduced
from shared.imaging.image import Box
from shared.imaging.regions.roi import Click, Roi
from shared.outlines import NetworkOutliner
from shared.outlines.examples import draw_click, mask_box
from shared.phantoms import draw as draw_phantom
from shared.statistics import dice

SEEDS = (21, 22)
SIZE_PX = 128
ARRAYS_PER_CASE = 5
MIN_DICE = 0.98
"""Rounding on other machines moves an edge by a pixel. A wrong file draws something else."""


def draw(outliner: NetworkOutliner) -> bytes:
    """Return drawn pictures, the box of the nodule in each and a click in it, and what the outliner
    draws for them, as a file.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for index, seed in enumerate(SEEDS):
        phantom = draw_phantom(seed, malignant=bool(seed % 2), size_px=SIZE_PX)
        box = np.array(mask_box(phantom.mask), np.float32)
        drawn_click = draw_click(phantom.mask, np.random.default_rng(seed))
        click = np.array([drawn_click.x, drawn_click.y], np.float32)
        arrays[f"{index}.pixels"] = phantom.pixels
        arrays[f"{index}.box"] = box
        arrays[f"{index}.mask"] = _outlined(outliner, phantom.pixels, box)
        arrays[f"{index}.click"] = click
        arrays[f"{index}.clicked"] = _outlined_at(outliner, phantom.pixels, click)
    return safetensors.numpy.save(arrays)


def reproduce(outliner: NetworkOutliner, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Outline the pictures again. Raises `OutlinesNotReproduced` if a mask differs."""
    for index in range(len(arrays) // ARRAYS_PER_CASE):
        pixels = arrays[f"{index}.pixels"]
        inside_box = _outlined(outliner, pixels, arrays[f"{index}.box"])
        at_click = _outlined_at(outliner, pixels, arrays[f"{index}.click"])
        for found, name in ((inside_box, "mask"), (at_click, "clicked")):
            expected = arrays[f"{index}.{name}"].astype(bool)
            agreement = dice(found.astype(bool), expected)
            if not agreement >= MIN_DICE:
                raise OutlinesNotReproduced(case=index, dice=agreement)


def _outlined(
    outliner: NetworkOutliner, pixels: NDArray[np.uint8], box: NDArray[np.float32]
) -> NDArray[np.uint8]:
    left, top, width, height = box.tolist()
    roi = outliner.trace(pixels, Roi(box=(left, top, width, height)))
    return roi.mask(_picture(pixels)).astype(np.uint8)


def _outlined_at(
    outliner: NetworkOutliner, pixels: NDArray[np.uint8], click: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return the mask of the nodule at a click; empty if none is found there."""
    x, y = click.tolist()
    picture = _picture(pixels)
    mask = np.zeros(pixels.shape, np.uint8)
    for proposal in outliner.propose(pixels, picture, Click(x=x, y=y)):
        mask |= outliner.trace(pixels, proposal.roi).mask(picture)
    return mask


def _picture(pixels: NDArray[np.uint8]) -> Box:
    rows, columns = pixels.shape
    return Box(x=0, y=0, width=columns, height=rows)
