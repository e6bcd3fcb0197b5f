"""Golden cases: a few drawn nodules, with their scores at the time the bundle was saved."""

from collections.abc import Mapping, Sequence

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.bundles.errors import BundleNotReproduced
from shared.domain.results.prediction import Prediction
from shared.imaging.image import Nodule
from shared.learning import FittedModel, phantom_nodule
from shared.phantoms import draw

SEEDS = (11, 12, 13, 14)
SIZE_PX = 128
TOLERANCE = 0.01
"""Maximum difference from the stored score.

Sums are rounded differently on other machines, and a tree may then take another branch. A wrong
file causes a larger deviation.
"""


def draw_cases(margin: float) -> list[Nodule]:
    """Draw the nodules of both classes. The images are small, so that a bundle stays small."""
    nodules = []
    for seed in SEEDS:
        phantom = draw(seed, malignant=bool(seed % 2), size_px=SIZE_PX)
        nodules.append(phantom_nodule(phantom, margin))
    return nodules


def pack(nodules: Sequence[Nodule]) -> bytes:
    """Pack the pixels and masks into a file.

    They are stored so that a later change of the phantoms does not invalidate a bundle.
    """
    arrays: dict[str, NDArray[np.uint8]] = {}
    for index, nodule in enumerate(nodules):
        arrays[f"{index}.pixels"] = nodule.pixels
        arrays[f"{index}.mask"] = nodule.mask.astype(np.uint8)
    return safetensors.numpy.save(arrays)


def unpack(arrays: Mapping[str, NDArray[np.uint8]]) -> list[Nodule]:
    """Unpack the nodules from the file's arrays."""
    return [
        Nodule(
            arrays[f"{index}.pixels"],
            arrays[f"{index}.mask"].astype(bool),
            has_outline=True,
        )
        for index in range(len(arrays) // 2)
    ]


def unpack_bytes(content: bytes) -> list[Nodule]:
    """Unpack the nodules from the file's bytes, as a bundle that is loaded does."""
    return unpack(safetensors.numpy.load(content))


def reproduce(
    model: FittedModel, nodules: Sequence[Nodule], scores: Sequence[float]
) -> list[Prediction]:
    """Score the golden cases again, which also warms the model up, and return the predictions.

    Raises `BundleNotReproduced` if a score differs from its stored value in `scores`.
    """
    predictions = model.predict(nodules)
    pairs = zip(predictions, scores, strict=True)
    for case, (prediction, expected) in enumerate(pairs):
        if not abs(prediction.score - expected) <= TOLERANCE:
            raise BundleNotReproduced(
                case=case, found=prediction.score, expected=expected
            )
    return predictions
