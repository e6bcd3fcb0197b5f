"""A few drawn nodules and the scores they had when the bundle was saved."""

from collections.abc import Mapping, Sequence

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import BundleNotReproduced
from shared.imaging.image import Nodule
from shared.learning import FittedModel, phantom_nodule
from shared.phantoms import draw

SEEDS = (11, 12, 13, 14)
SIZE_PX = 128
TOLERANCE = 0.01
"""Between machines sums round differently, and a tree may take the other branch; a wrong file is further off."""


def draw_cases(margin: float) -> list[Nodule]:
    """Nodules of both classes, small so that a bundle stays small."""
    return [
        phantom_nodule(draw(seed, malignant=bool(seed % 2), size_px=SIZE_PX), margin)
        for seed in SEEDS
    ]


def pack(nodules: Sequence[Nodule]) -> bytes:
    """The pixels themselves, so that a later generator of phantoms does not invalidate a bundle."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    for place, nodule in enumerate(nodules):
        arrays[f"{place}.pixels"] = nodule.pixels
        arrays[f"{place}.mask"] = nodule.mask.astype(np.uint8)
    return safetensors.numpy.save(arrays)


def unpack(arrays: Mapping[str, NDArray[np.uint8]]) -> list[Nodule]:
    """The nodules that `pack` took."""
    return [
        Nodule(
            arrays[f"{place}.pixels"],
            arrays[f"{place}.mask"].astype(bool),
            has_outline=True,
        )
        for place in range(len(arrays) // 2)
    ]


def reproduce(
    model: FittedModel, nodules: Sequence[Nodule], scores: Sequence[float]
) -> None:
    """Score the golden cases again (`BundleNotReproduced`); also warms the model up."""
    for case, (prediction, expected) in enumerate(
        zip(model.predict(nodules), scores, strict=True)
    ):
        if not abs(prediction.score - expected) <= TOLERANCE:
            raise BundleNotReproduced(
                case=case, found=prediction.score, expected=expected
            )
