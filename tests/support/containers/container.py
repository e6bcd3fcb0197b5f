"""One picture in many containers: a file, and what a reader must make of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms import draw

Grey = NDArray[np.uint8]
Rgb = NDArray[np.uint8]

HEIGHT_PX = 120
WIDTH_PX = 160
TINT = (1.0, 0.94, 0.86)
"""Factors of red, green and blue of the colour picture.

They differ, so that exchanged or scrambled channels change its luma, and so little that the picture
does not count as coloured.
"""
LOSSY_LEVELS = 3
"""Largest difference from the oracle's decode of a lossy file, in grey levels."""


@dataclass(frozen=True)
class Container:
    """A file with the picture.

    Attributes
    ----------
    name : unique, says what is special about the file
    data : the file
    expected : (height, width) uint8, the right upright picture; None for a lossy file, which is
        compared with the oracle's decode, or if the file is refused
    findings : codes of the findings that the reader must give
    refusal : the code of the error, if the file must be refused
    """

    name: str
    data: bytes
    expected: Grey | None = None
    findings: frozenset[str] = frozenset()
    refusal: str | None = None


def grey_picture() -> Grey:
    """A phantom without symmetry, (120, 160) uint8, whose levels do not fill the range."""
    pixels = draw(3, size_px=WIDTH_PX).pixels[:HEIGHT_PX].astype(np.float32)
    pixels = 12 + pixels * (200 / 255)
    pixels[:30, :40] += 30
    return np.rint(pixels).astype(np.uint8)


def tinted_picture() -> Rgb:
    """The phantom in colour, (120, 160, 3) uint8."""
    grey = grey_picture().astype(np.float32)
    return np.rint(np.stack([factor * grey for factor in TINT], axis=-1)).astype(
        np.uint8
    )


def luma(rgb: Rgb) -> Grey:
    """The grey picture of a colour picture, by ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def widen(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    """The same picture in more bits: black stays 0, and white is the greatest value."""
    greatest = 2**bits - 1
    return np.rint(values.astype(np.float64) * (greatest / 255)).astype(np.uint16)
