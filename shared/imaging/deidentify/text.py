"""Words burnt into the picture, as on a screen around the image: seen, not read, and never painted over."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

STROKE_PX = 11
CONTRAST = 50
"""What is narrower and brighter than its surroundings by so much, of 255, may be a stroke of a letter."""
TALL_PX = (6, 40)
MOST_WIDE = 3.0
"""Least and greatest height of a letter, and its greatest width, as letters may touch, as a share of the height."""
AROUND_PX = 2
MOST_SPREAD = 10.0
"""Standard deviation of grey close around a letter: a screen is even there, tissue has speckle."""
NEXT = 1.3
LEVEL = 0.5
ALIKE = 1.6
"""A letter's neighbour in a line: its distance and its shift, as shares of the height, and the ratio of heights."""
LETTERS = 4
"""A line of so many is text. Of 851 cropped public images 9 had one, all of them words such as LEFT BREAST."""
MOST_CANDIDATES = 4000
"""More bright specks than a screen has letters are speckle."""

BURNT_IN_TEXT = Finding(
    "burnt-in-text",
    "Text is burnt into the picture beside the tissue, and may name the patient. It was not removed. "
    "Send a crop around the tissue, or a DICOM file that names its ultrasound regions.",
)


@dataclass(frozen=True)
class _Letter:
    left: int
    top: int
    width: int
    height: int

    def goes_on_in(self, other: "_Letter") -> bool:
        """Whether the other is the next letter of a line."""
        tall = max(self.height, other.height)
        short = min(self.height, other.height)
        gap = other.left - self.left - self.width
        shift = abs(other.top + other.height / 2 - self.top - self.height / 2)
        return (
            -1 <= gap <= NEXT * tall
            and shift <= LEVEL * tall / 2
            and tall <= ALIKE * short
        )


def burnt_in_text(pixels: NDArray[np.uint8]) -> tuple[Finding, ...]:
    """`BURNT_IN_TEXT` where a line of letters stands on even ground.

    Parameters
    ----------
    pixels : (height, width) uint8 grey
    """
    return (BURNT_IN_TEXT,) if longest_line(pixels) >= LETTERS else ()


def longest_line(pixels: NDArray[np.uint8]) -> int:
    """How many letters the longest line of text has, as far as it can be told."""
    letters = sorted(_letters(pixels), key=lambda letter: letter.left)
    reach = [1] * len(letters)
    for at, letter in enumerate(letters):
        for before in range(at - 1, -1, -1):
            if letters[before].left < letter.left - 4 * TALL_PX[1]:
                break
            if letters[before].goes_on_in(letter):
                reach[at] = max(reach[at], reach[before] + 1)
    return max(reach, default=0)


def _letters(pixels: NDArray[np.uint8]) -> list[_Letter]:
    ground = cv2.morphologyEx(
        pixels, cv2.MORPH_OPEN, np.ones((STROKE_PX, STROKE_PX), np.uint8)
    )
    strokes = (cv2.subtract(pixels, ground) > CONTRAST).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    boxes = np.asarray(stats, np.int32)
    height = boxes[1:, cv2.CC_STAT_HEIGHT]
    wide = boxes[1:, cv2.CC_STAT_WIDTH]
    fits = (
        (height >= TALL_PX[0]) & (height <= TALL_PX[1]) & (wide <= MOST_WIDE * height)
    )
    found = np.flatnonzero(fits) + 1
    if count == 1 or len(found) > MOST_CANDIDATES:
        return []
    near = np.asarray(cv2.dilate(strokes, np.ones((3, 3), np.uint8)), np.uint8)
    return [
        _Letter(*map(int, boxes[label, :4]))
        for label in found
        if _on_even_ground(pixels, near, boxes[label, :4])
    ]


def _on_even_ground(
    pixels: NDArray[np.uint8], near: NDArray[np.uint8], box: NDArray[np.int32]
) -> bool:
    """Whether grey hardly varies around a letter, its own soft edge and other strokes left out."""
    left, top, width, height = box
    across = slice(max(left - AROUND_PX, 0), left + width + AROUND_PX)
    deep = slice(max(top - AROUND_PX, 0), top + height + AROUND_PX)
    around = pixels[deep, across][near[deep, across] == 0]
    return len(around) > 0 and float(around.std()) <= MOST_SPREAD
