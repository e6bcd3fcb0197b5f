"""A map as pictures: a transparent layer to be laid over the image, and one with the image."""

import cv2
import numpy as np
from numpy.typing import NDArray

RED = (40, 40, 230)
BLUE = (230, 120, 30)
"""For and against malignancy; blue, green, red as OpenCV has them."""
OPACITY = 0.45
STRIPES = 24
"""What speaks against malignancy is striped too, so many stripes along the sides together: colour alone tells nothing
to those who do not see it."""


def layer_png(values: NDArray[np.floating], shape: tuple[int, int]) -> bytes:
    """RGBA of this (height, width): the stronger the less transparent, opaque at the strongest place."""
    strength = _strength(values, shape)
    alpha = np.abs(strength) * np.where(_striped(shape) & (strength < 0), 0.35, 1)
    return _encoded(np.dstack([_colour(strength), alpha * 255]))


def composite_png(values: NDArray[np.floating], grey: NDArray[np.uint8]) -> bytes:
    """The map over the image."""
    strength = _strength(values, grey.shape)
    weight = np.abs(strength)[..., None] * OPACITY
    return _encoded(
        np.repeat(grey[..., None], 3, axis=2) * (1 - weight)
        + _colour(strength) * weight
    )


def _strength(
    values: NDArray[np.floating], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """-1 to 1, scaled to the strongest place."""
    scaled = values.astype(np.float64) / max(np.abs(values).max(), 1e-9)
    height, width = shape
    strength = cv2.resize(scaled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(strength, -1, 1), np.float64)


def _colour(strength: NDArray[np.float64]) -> NDArray[np.int_]:
    return np.where(strength[..., None] > 0, RED, BLUE)


def _striped(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Every other of the slanting stripes."""
    height, width = shape
    rows, columns = np.ogrid[:height, :width]
    striped: NDArray[np.bool_] = (rows + columns) * STRIPES // (height + width) % 2 == 1
    return striped


def _encoded(pixels: NDArray[np.float64]) -> bytes:
    return cv2.imencode(".png", np.rint(pixels).astype(np.uint8))[1].tobytes()
