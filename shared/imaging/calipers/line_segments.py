"""Finds the points where four thin line segments meet.

These points are the candidates for caliper marks. The search uses 8-bit arithmetic on the whole
image.
"""

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.marks import MarkKind

Grey = NDArray[np.uint8]
Step = tuple[int, int]

MIN_CONTRAST = 34
"""Grey levels by which each of the four arms exceeds both its flanks.

The faintest of 113 marks on 41 real images had 36. Speckle seldom makes four arms above 25.
"""
MAX_CROSSINGS = 80
"""Crossings of one kind that are examined, the strongest first.

A screen full of text has hundreds.
"""
BLACK = 3
MAX_BLACK_SHARE = 0.7
SURROUND_PX = 29
"""Grey level of the black screen, its maximum share around a crossing, and the window's side.

Above this share the crossing is text beside the image. A mark has tissue on at least one side.
"""
PADDING_PX = 10
FLANK_PX = 3
"""Distance of a segment's flanks.

They lie outside a stroke of two pixels and the blur of resizing.
"""


@dataclass(frozen=True)
class Line:
    """A direction (x, y), and the step from a segment in this direction to its flank."""

    direction: Step
    flank: Step


HORIZONTAL = Line(direction=(1, 0), flank=(0, FLANK_PX))
VERTICAL = Line(direction=(0, 1), flank=(FLANK_PX, 0))
FALLING = Line(direction=(1, 1), flank=(2, -2))
RISING = Line(direction=(1, -1), flank=(2, 2))
LINES = (HORIZONTAL, VERTICAL, FALLING, RISING)
ARMS: dict[MarkKind, tuple[tuple[Line, Step], ...]] = {
    MarkKind.PLUS: (
        (HORIZONTAL, (1, 0)),
        (HORIZONTAL, (-1, 0)),
        (VERTICAL, (0, 1)),
        (VERTICAL, (0, -1)),
    ),
    MarkKind.CROSS: (
        (FALLING, (1, 1)),
        (FALLING, (-1, -1)),
        (RISING, (1, -1)),
        (RISING, (-1, 1)),
    ),
}
RADII = {MarkKind.PLUS: (2, 3, 5, 8), MarkKind.CROSS: (2, 4, 6)}
"""Distances from the centre in pixels at which the arms are measured.

The small ones fit small marks, the large ones fit marks with an open centre.
"""


@dataclass(frozen=True, eq=False)
class Crossings:
    """Points where four segments meet.

    Attributes
    ----------
    x, y : (N,) centres in pixels
    contrast : (N,) contrast of the weakest arm in grey levels
    """

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    contrast: Grey


def find_crossings(pixels: Grey) -> dict[MarkKind, Crossings]:
    """Find the crossings of each kind of end mark, the strongest first.

    They are local maxima of the weakest arm's contrast, of at least `MIN_CONTRAST`, on tissue.

    Parameters
    ----------
    pixels : (height, width) uint8 grey
    """
    contrasts = {line: _segment_contrast(pixels, line) for line in LINES}
    black = (pixels <= BLACK).astype(np.uint8) * 255
    black_around = cv2.blur(black, (SURROUND_PX, SURROUND_PX))
    is_screen = black_around > MAX_BLACK_SHARE * 255
    crossings: dict[MarkKind, Crossings] = {}
    for kind in ARMS:
        weakest_arm = _weakest_arm(contrasts, kind)
        on_tissue = np.where(is_screen, 0, weakest_arm).astype(np.uint8)
        crossings[kind] = _local_maxima(on_tissue)
    return crossings


def _segment_contrast(pixels: Grey, line: Line) -> Grey:
    """Return how much three pixels along the line exceed their flanks.

    The result is dilated by one pixel and padded by `PADDING_PX`.
    """
    dx, dy = line.direction
    flank_x, flank_y = line.flank
    kernel = np.zeros((3, 3), np.float32)
    for step in (-1, 0, 1):
        kernel[1 + step * dy, 1 + step * dx] = 1 / 3
    filtered = cv2.filter2D(pixels, -1, kernel)
    mean = _padded(np.asarray(filtered, np.uint8), cv2.BORDER_REFLECT)
    flanks = cv2.max(
        _shifted(mean, flank_x, flank_y), _shifted(mean, -flank_x, -flank_y)
    )
    contrast = cv2.subtract(_shifted(mean, 0, 0), flanks)
    dilated = cv2.dilate(contrast, np.ones((3, 3), np.uint8))
    return _padded(np.asarray(dilated, np.uint8), cv2.BORDER_CONSTANT)


def _padded(pixels: Grey, border: int) -> Grey:
    padded = cv2.copyMakeBorder(
        pixels,
        top=PADDING_PX,
        bottom=PADDING_PX,
        left=PADDING_PX,
        right=PADDING_PX,
        borderType=border,
        value=0,
    )
    return np.asarray(padded, np.uint8)


def _shifted(padded: Grey, dx: int, dy: int) -> Grey:
    """Return the padded image without its padding, as seen from (`dx`, `dy`)."""
    height, width = padded.shape
    top = PADDING_PX + dy
    left = PADDING_PX + dx
    bottom = height - PADDING_PX + dy
    right = width - PADDING_PX + dx
    return padded[top:bottom, left:right]


def _weakest_arm(contrasts: dict[Line, Grey], kind: MarkKind) -> Grey:
    """Return the weakest arm's contrast, at the radius where this contrast is largest."""
    by_radius: list[Grey] = []
    for radius in RADII[kind]:
        arms = [
            _shifted(contrasts[line], radius * dx, radius * dy)
            for line, (dx, dy) in ARMS[kind]
        ]
        by_radius.append(reduce(_minimum, arms))
    return reduce(_maximum, by_radius)


def _minimum(first: Grey, second: Grey) -> Grey:
    return np.asarray(cv2.min(first, second), np.uint8)


def _maximum(first: Grey, second: Grey) -> Grey:
    return np.asarray(cv2.max(first, second), np.uint8)


def _local_maxima(contrast: Grey) -> Crossings:
    neighbourhood_max = cv2.dilate(contrast, np.ones((7, 7), np.uint8))
    is_peak = (contrast >= MIN_CONTRAST) & (contrast == neighbourhood_max)
    y, x = np.nonzero(is_peak)
    peaks = contrast[y, x]
    order = np.argsort(-peaks.astype(int), kind="stable")
    strongest = order[:MAX_CROSSINGS]
    return Crossings(x=x[strongest], y=y[strongest], contrast=peaks[strongest])
