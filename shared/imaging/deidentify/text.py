"""Detects text that is burnt into the picture, as on a screen around the image.

The text is not read and not painted over.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

Grey = NDArray[np.uint8]

STROKE_PX = 11
MIN_CONTRAST = 50
"""Maximum width and minimum contrast, of 255, of a structure that may be a stroke of a letter.
"""
LETTER_HEIGHT_PX = (6, 40)
MAX_WIDTH_RATIO = 3.0
"""Smallest and largest height of a letter, and its largest width as a share of the height.

Letters may touch each other.
"""
SURROUND_PX = 2
MAX_BACKGROUND_DEVIATION = 10.0
"""Standard deviation of grey close around a letter. A screen is even; tissue has speckle."""
MAX_GAP = 1.3
MAX_SHIFT = 0.5
MAX_HEIGHT_RATIO = 1.6
"""Bounds for the next letter of a line.

They are its distance and its vertical shift, both as shares of the height, and the ratio of the
heights.
"""
MIN_TEXT_LETTERS = 4
"""Letters in a line that count as text.

Of 851 cropped public images 9 had such a line. All of them showed words such as LEFT BREAST.
"""
MAX_CANDIDATES = 4000
"""No screen has more letters than this. More bright specks are speckle."""

BURNT_IN_TEXT = Finding(
    "burnt-in-text",
    "Text is burnt into the picture beside the tissue, and may name the patient. "
    "It was not removed. "
    "Send a crop around the tissue, or a DICOM file that names its ultrasound regions.",
)


@dataclass(frozen=True)
class _Letter:
    left: int
    top: int
    width: int
    height: int

    def is_followed_by(self, letter: "_Letter") -> bool:
        """Return whether `letter` can be the next letter of a line."""
        taller = max(self.height, letter.height)
        shorter = min(self.height, letter.height)
        gap = letter.left - self.left - self.width
        shift = abs(letter.top + letter.height / 2 - self.top - self.height / 2)
        if not -1 <= gap <= MAX_GAP * taller:
            return False
        return shift <= MAX_SHIFT * taller / 2 and taller <= MAX_HEIGHT_RATIO * shorter


def burnt_in_text(pixels: Grey) -> tuple[Finding, ...]:
    """Return `BURNT_IN_TEXT` if there is a line of letters on an even background.

    Parameters
    ----------
    pixels : (height, width) uint8 grey
    """
    return (BURNT_IN_TEXT,) if longest_line(pixels) >= MIN_TEXT_LETTERS else ()


def longest_line(pixels: Grey) -> int:
    """Estimate the number of letters in the longest line of text of an image (height, width)."""
    letters = sorted(_find_letters(pixels), key=lambda letter: letter.left)
    line_lengths = [1] * len(letters)
    for index, letter in enumerate(letters):
        for previous_index in range(index - 1, -1, -1):
            previous = letters[previous_index]
            if previous.left < letter.left - 4 * LETTER_HEIGHT_PX[1]:
                break
            if previous.is_followed_by(letter):
                length = line_lengths[previous_index] + 1
                line_lengths[index] = max(line_lengths[index], length)
    return max(line_lengths, default=0)


def _find_letters(pixels: Grey) -> list[_Letter]:
    kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    background = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, kernel)
    strokes = (cv2.subtract(pixels, background) > MIN_CONTRAST).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    boxes = np.asarray(stats, np.int32)
    heights = boxes[1:, cv2.CC_STAT_HEIGHT]
    widths = boxes[1:, cv2.CC_STAT_WIDTH]
    min_height, max_height = LETTER_HEIGHT_PX
    has_letter_height = (heights >= min_height) & (heights <= max_height)
    has_letter_width = widths <= MAX_WIDTH_RATIO * heights
    labels = np.flatnonzero(has_letter_height & has_letter_width) + 1
    if count == 1 or len(labels) > MAX_CANDIDATES:
        return []
    widened = np.asarray(cv2.dilate(strokes, np.ones((3, 3), np.uint8)), np.uint8)
    letters: list[_Letter] = []
    for label in labels:
        left, top, width, height = (int(value) for value in boxes[label, :4])
        letter = _Letter(left=left, top=top, width=width, height=height)
        if _has_even_background(pixels, widened, letter):
            letters.append(letter)
    return letters


def _has_even_background(pixels: Grey, strokes: Grey, letter: _Letter) -> bool:
    """Return whether grey hardly varies around a letter.

    The letter's soft edge and other strokes are not considered.
    """
    left = max(letter.left - SURROUND_PX, 0)
    top = max(letter.top - SURROUND_PX, 0)
    columns = slice(left, letter.left + letter.width + SURROUND_PX)
    rows = slice(top, letter.top + letter.height + SURROUND_PX)
    is_background = strokes[rows, columns] == 0
    background = pixels[rows, columns][is_background]
    if not len(background):
        return False
    return float(background.std()) <= MAX_BACKGROUND_DEVIATION
