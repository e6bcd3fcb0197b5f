"""Golden cases of the outline network: drawn pictures, and the outlines when it was saved."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import OutlinesNotReproduced
from shared.imaging.image import Box
from shared.imaging.regions.roi import Roi
from shared.outlines import NetworkOutliner
from shared.outlines.examples import mask_box
from shared.phantoms import draw as draw_phantom
from shared.statistics import dice

SEEDS = (21, 22)
SIZE_PX = 128
MIN_DICE = 0.98
"""Rounding on other machines moves an edge by a pixel. A wrong file draws something else."""


def draw(outliner: NetworkOutliner) -> bytes:
    """Return drawn pictures, the boxes of their nodules, and the outliner's masks, as a file."""
    arrays: dict[str, NDArray[Any]] = {}
    for index, seed in enumerate(SEEDS):
        phantom = draw_phantom(seed, malignant=bool(seed % 2), size_px=SIZE_PX)
        box = np.array(mask_box(phantom.mask), np.float32)
        arrays[f"{index}.pixels"] = phantom.pixels
        arrays[f"{index}.box"] = box
        arrays[f"{index}.mask"] = _outlined(outliner, phantom.pixels, box)
    return safetensors.numpy.save(arrays)


def reproduce(outliner: NetworkOutliner, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Outline the pictures again. Raises `OutlinesNotReproduced` if a mask differs."""
    for index in range(len(arrays) // 3):
        expected = arrays[f"{index}.mask"].astype(bool)
        found = _outlined(outliner, arrays[f"{index}.pixels"], arrays[f"{index}.box"])
        agreement = dice(found.astype(bool), expected)
        if not agreement >= MIN_DICE:
            raise OutlinesNotReproduced(case=index, dice=agreement)


def _outlined(
    outliner: NetworkOutliner, pixels: NDArray[np.uint8], box: NDArray[np.float32]
) -> NDArray[np.uint8]:
    left, top, width, height = box.tolist()
    roi = outliner.trace(pixels, Roi(box=(left, top, width, height)))
    rows, columns = pixels.shape
    mask = roi.mask(Box(x=0, y=0, width=columns, height=rows))
    return mask.astype(np.uint8)
