"""Converts colour to grey, and reports colour that may hide tissue."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

COLOURED_CHROMA = 48
"""A pixel is coloured if its strongest and weakest channel differ by more than this, of 255."""
COLOURED_FRACTION = 0.01
"""Share of coloured pixels above which the user gets a finding.

Text, rulers and the manufacturer's logo cover less.
"""

COLOUR_OVERLAY = Finding(
    "colour-overlay",
    "Part of the image is in colour (Doppler, elastography or a tinted photograph); "
    "colour was turned to grey and may hide texture. A plain B-mode image is better.",
)


def to_grey(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Convert an image to its luma, by ITU-R BT.601.

    Parameters
    ----------
    rgb : (height, width, 3) uint8

    Returns
    -------
    pixels : (height, width) uint8
    findings : `COLOUR_OVERLAY` if a considerable part of the image is coloured
    """
    rgb = np.ascontiguousarray(rgb)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    findings = (COLOUR_OVERLAY,) if _is_coloured(rgb) else ()
    return grey, findings


def _is_coloured(rgb: NDArray[np.uint8]) -> bool:
    red, green, blue = cv2.split(rgb)
    strongest = cv2.max(cv2.max(red, green), blue)
    weakest = cv2.min(cv2.min(red, green), blue)
    chroma = strongest - weakest
    return bool((chroma > COLOURED_CHROMA).mean() > COLOURED_FRACTION)


def scale_to_byte(
    values: NDArray[np.number], low: float, high: float
) -> NDArray[np.uint8]:
    """Map `low`..`high` linearly to 0..255 and clip, for any shape; an empty range maps to 0."""
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    factor = np.float32(255 / (high - low))
    scaled = (values.astype(np.float32) - np.float32(low)) * factor
    levels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels
