"""Colour to grey, with a word about colour that hides tissue."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

COLOURED_CHROMA = 48
"""Difference of the strongest and the weakest channel above which a pixel counts as coloured, of 255."""
COLOURED_FRACTION = 0.01
"""Share of coloured pixels from which a reader is told; text, rulers and a maker's logo stay below."""

COLOUR_OVERLAY = Finding(
    "colour-overlay",
    "Part of the image is in colour (Doppler, elastography or a tinted photograph); "
    "colour was turned to grey and may hide texture. A plain B-mode image is better.",
)


def to_grey(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Luma of an image by ITU-R BT.601.

    Parameters
    ----------
    rgb : (height, width, 3) uint8

    Returns
    -------
    pixels : (height, width) uint8
    findings : `COLOUR_OVERLAY` where a notable part of the image is coloured
    """
    rgb = np.ascontiguousarray(rgb)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    findings = (COLOUR_OVERLAY,) if _is_coloured(rgb) else ()
    return grey, findings


def _is_coloured(rgb: NDArray[np.uint8]) -> bool:
    red, green, blue = cv2.split(rgb)
    chroma = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return bool((chroma > COLOURED_CHROMA).mean() > COLOURED_FRACTION)


def scale_to_byte(
    values: NDArray[np.number], low: float, high: float
) -> NDArray[np.uint8]:
    """Map `low`..`high` linearly to 0..255 and clip; a range of no width maps to 0. Any shape."""
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(
        255 / (high - low)
    )
    levels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels
