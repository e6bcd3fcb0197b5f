"""Where four thin strokes meet: the places worth a closer look, found with 8-bit arithmetic on the whole image."""

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.marks import MarkKind

Grey = NDArray[np.uint8]
Step = tuple[int, int]

LEAST_CONTRAST = 34
"""Grey levels that each of the four arms stands above both its flanks.

Of 113 marks on 41 real images the faintest had 36; speckle seldom makes four arms above 25.
"""
MOST_PLACES = 80
"""Places of one kind looked at closely, the strongest first; a screen full of text has hundreds."""
BLACK = 3
MOST_BLACK = 0.7
AROUND_PX = 29
"""Grey level of the screen, and the share of it around a place from which the place is taken for text beside the image.

A mark stands on tissue, at least on one side.
"""
REACH = 10
FLANK = 3
"""Pixels between a stroke and its flanks: beyond a stroke two pixels wide and the blur of resizing."""


@dataclass(frozen=True)
class Line:
    """A direction (x, y) and the way to the flanks of a stroke that runs along it."""

    along: Step
    aside: Step


LEVEL = Line((1, 0), (0, FLANK))
UPRIGHT = Line((0, 1), (FLANK, 0))
FALLING = Line((1, 1), (2, -2))
RISING = Line((1, -1), (2, 2))
ARMS: dict[MarkKind, tuple[tuple[Line, Step], ...]] = {
    MarkKind.PLUS: (
        (LEVEL, (1, 0)),
        (LEVEL, (-1, 0)),
        (UPRIGHT, (0, 1)),
        (UPRIGHT, (0, -1)),
    ),
    MarkKind.CROSS: (
        (FALLING, (1, 1)),
        (FALLING, (-1, -1)),
        (RISING, (1, -1)),
        (RISING, (-1, 1)),
    ),
}
RADII = {MarkKind.PLUS: (2, 3, 5, 8), MarkKind.CROSS: (2, 4, 6)}
"""Steps from the centre at which the arms are looked for; the small ones meet small marks, the large ones open ones."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """Centres (N,) in x and y, and the contrast (N,) of the weakest arm in grey levels."""

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    contrast: Grey


def find_crossings(pixels: Grey) -> dict[MarkKind, Crossings]:
    """Local maxima of the weakest arm, at or above `LEAST_CONTRAST` and on tissue, of each kind of end mark."""
    strength = {
        line: _strength(pixels, line) for line in (LEVEL, UPRIGHT, FALLING, RISING)
    }
    black = (
        cv2.blur((pixels <= BLACK).astype(np.uint8) * 255, (AROUND_PX, AROUND_PX))
        > MOST_BLACK * 255
    )
    return {
        kind: _peaks(np.where(black, 0, _weakest_arm(strength, kind)).astype(np.uint8))
        for kind in ARMS
    }


def _strength(pixels: Grey, line: Line) -> Grey:
    """How far three pixels along the line stand above their flanks; widened by a pixel and padded by `REACH`."""
    (dx, dy), (fx, fy) = line.along, line.aside
    kernel = np.zeros((3, 3), np.float32)
    for step in (-1, 0, 1):
        kernel[1 + step * dy, 1 + step * dx] = 1 / 3
    filtered = cv2.filter2D(pixels, -1, kernel)
    mean = np.asarray(
        cv2.copyMakeBorder(filtered, *(REACH,) * 4, cv2.BORDER_REFLECT),
        np.uint8,
    )
    flanks = cv2.max(_shifted(mean, fx, fy), _shifted(mean, -fx, -fy))
    widened = cv2.dilate(
        cv2.subtract(_shifted(mean, 0, 0), flanks), np.ones((3, 3), np.uint8)
    )
    padded = cv2.copyMakeBorder(widened, *(REACH,) * 4, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(padded, np.uint8)


def _shifted(padded: Grey, dx: int, dy: int) -> Grey:
    height, width = padded.shape
    return padded[REACH + dy : height - REACH + dy, REACH + dx : width - REACH + dx]


def _weakest_arm(strength: dict[Line, Grey], kind: MarkKind) -> Grey:
    at_radius = (
        reduce(
            _weaker,
            (
                _shifted(strength[line], radius * dx, radius * dy)
                for line, (dx, dy) in ARMS[kind]
            ),
        )
        for radius in RADII[kind]
    )
    return reduce(_stronger, at_radius)


def _weaker(one: Grey, other: Grey) -> Grey:
    return np.asarray(cv2.min(one, other), np.uint8)


def _stronger(one: Grey, other: Grey) -> Grey:
    return np.asarray(cv2.max(one, other), np.uint8)


def _peaks(contrast: Grey) -> Crossings:
    highest = (contrast >= LEAST_CONTRAST) & (
        contrast == cv2.dilate(contrast, np.ones((7, 7), np.uint8))
    )
    y, x = np.nonzero(highest)
    strongest = np.argsort(-contrast[y, x].astype(int), kind="stable")[:MOST_PLACES]
    return Crossings(x[strongest], y[strongest], contrast[y, x][strongest])
