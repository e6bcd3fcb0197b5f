"""Where a bundle looked: an occlusion map through the whole ensemble (Zeiler & Fergus, ECCV 2014)."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.bundles.bundle import Bundle
from shared.errors import SeraError
from shared.imaging import Nodule

GRID = 8
BLUR = 0.25
"""Width of the blur that hides a patch, as a fraction of the nodule's sides."""
OPACITY = 0.45


def occlusion_map(bundle: Bundle, nodule: Nodule, grid: int = GRID) -> NDArray[np.float64]:
    """How much each patch carries of the score.

    Returns
    -------
    (grid, grid) float64: score of the nodule less its score with that patch blurred away; positive where what is seen
    there speaks for malignancy. A patch whose occlusion cannot be read counts 0.

    Raises
    ------
    SeraError
        that of the nodule itself, if it cannot be read.
    """
    whole = bundle.predict([nodule])[0].score
    hidden = bundle.predict_each([_hide(nodule, patch, grid) for patch in range(grid * grid)])
    drops = [0.0 if isinstance(each, SeraError) else whole - each.score for each in hidden]
    return np.array(drops).reshape(grid, grid)


def occlusion_png(bundle: Bundle, nodule: Nodule) -> bytes:
    """The map over the image as a PNG: red speaks for malignancy, blue against it, scaled to the strongest patch."""
    drops = occlusion_map(bundle, nodule)
    height, width = nodule.pixels.shape
    strength = cv2.resize(drops / max(np.abs(drops).max(), 1e-9), (width, height), interpolation=cv2.INTER_CUBIC)
    weight = np.clip(np.abs(strength), 0, 1)[..., None] * OPACITY
    colour = np.where(strength[..., None] > 0, (40, 40, 230), (230, 120, 30))  # blue, green, red as OpenCV has them
    grey = np.repeat(nodule.pixels[..., None], 3, axis=2)
    return cv2.imencode(".png", np.rint(grey * (1 - weight) + colour * weight).astype(np.uint8))[1].tobytes()


def _hide(nodule: Nodule, patch: int, grid: int) -> Nodule:
    height, width = nodule.pixels.shape
    row, column = divmod(patch, grid)
    rows = slice(row * height // grid, (row + 1) * height // grid)
    columns = slice(column * width // grid, (column + 1) * width // grid)
    pixels = nodule.pixels.copy()
    pixels[rows, columns] = cv2.blur(nodule.pixels, _odd(width, height))[rows, columns]
    return replace(nodule, pixels=pixels)


def _odd(width: int, height: int) -> tuple[int, int]:
    return int(width * BLUR) | 1, int(height * BLUR) | 1
