"""Draws a map as a PNG: as a transparent layer over the image, or together with the image."""

import cv2
import numpy as np
from numpy.typing import NDArray

RED = (40, 40, 230)
"""For malignancy; blue, green, red as in OpenCV."""
BLUE = (230, 120, 30)
"""Against malignancy."""
OPACITY = 0.45
STRIPES = 24
"""Number of stripes along both sides together.

Evidence against malignancy is striped as well as blue, for people who cannot see the colours.
"""
STRIPE_OPACITY = 0.35


def layer_png(values: NDArray[np.floating], shape: tuple[int, int]) -> bytes:
    """Return an RGBA image of the given (height, width).

    The stronger the value, the more opaque the pixel.
    """
    strength = _strength(values, shape)
    is_pale = _stripes(shape) & (strength < 0)
    alpha = np.abs(strength) * np.where(is_pale, STRIPE_OPACITY, 1)
    return _png(np.dstack([_colour(strength), alpha * 255]))


def composite_png(values: NDArray[np.floating], grey: NDArray[np.uint8]) -> bytes:
    """Return the map over the grey image (H, W)."""
    strength = _strength(values, grey.shape)
    weight = np.abs(strength)[..., None] * OPACITY
    image = np.repeat(grey[..., None], 3, axis=2)
    return _png(image * (1 - weight) + _colour(strength) * weight)


def _strength(
    values: NDArray[np.floating], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return values from -1 to 1 at each pixel of the given (height, width).

    They are scaled so that the strongest value is -1 or 1.
    """
    scaled = values.astype(np.float64) / max(np.abs(values).max(), 1e-9)
    height, width = shape
    strength = cv2.resize(scaled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(strength, -1, 1), np.float64)


def _colour(strength: NDArray[np.float64]) -> NDArray[np.int_]:
    return np.where(strength[..., None] > 0, RED, BLUE)


def _stripes(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask that is True in every second slanting stripe."""
    height, width = shape
    rows, columns = np.ogrid[:height, :width]
    stripe = (rows + columns) * STRIPES // (height + width)
    is_odd: NDArray[np.bool_] = stripe % 2 == 1
    return is_odd


def _png(pixels: NDArray[np.float64]) -> bytes:
    _, content = cv2.imencode(".png", np.rint(pixels).astype(np.uint8))
    return content.tobytes()
