"""What caliper marks measure: two a diameter, four two of them."""

import math
from collections.abc import Mapping

import numpy as np

from shared.imaging.calipers.marks import Mark, end_marks
from shared.imaging.errors import RoiInvalid, RoiTooSmall
from shared.imaging.regions.roi import Roi

Point = tuple[float, float]
Diameter = tuple[Point, Point]

SHORTEST_PX = 16.0
LONGEST_SHARE = 0.98
"""Of the image's diagonal; marks at opposite corners measure the screen, not a nodule."""
OFF_CENTRE = 0.30
"""How far the middles of two axes may lie apart, as a share of the longer."""
LEAST_ANGLE = math.radians(50)
LEAST_RATIO = 0.25
"""Of the shorter to the longer axis; flatter nodules are not seen."""
CORNERS = 48


def diameters(marks: tuple[Mark, ...]) -> tuple[Diameter, ...]:
    """One diameter of two end marks, two that cross of four, none of any other number or arrangement."""
    at = [(mark.x, mark.y) for mark in end_marks(marks)]
    if len(at) == 2:
        return ((at[0], at[1]),) if _length((at[0], at[1])) >= SHORTEST_PX else ()
    if len(at) != 4:
        return ()
    pairings = [
        ((at[0], at[1]), (at[2], at[3])),
        ((at[0], at[2]), (at[1], at[3])),
        ((at[0], at[3]), (at[1], at[2])),
    ]
    crossing = [pair for pair in pairings if _cross_in_the_middle(*pair)]
    if not crossing:
        return ()
    pair = min(crossing, key=_middles_apart)
    return pair


def roi_from_marks(marks: tuple[Mark, ...], width: int, height: int) -> Roi | None:
    """The ROI that end marks enclose.

    Parameters
    ----------
    marks : as found in an image of `width` x `height` pixels

    Returns
    -------
    Of two marks the box around the circle whose diameter they end, of four the ellipse through them, clipped to the
    image; None of any other number, and where they cannot be a nodule's.
    """
    found = diameters(marks)
    longest = LONGEST_SHARE * math.hypot(width, height)
    if not found or max(map(_length, found)) > longest:
        return None
    shape: Mapping[str, object] = (
        _box(found[0], width, height)
        if len(found) == 1
        else _ellipse(found[0], found[1], width, height)
    )
    try:
        return Roi.parse(shape)
    except (RoiInvalid, RoiTooSmall):
        return None


def caliper_mm(
    marks: tuple[Mark, ...], spacing_mm: tuple[float, float]
) -> float | None:
    """The longest diameter between end marks in mm; `spacing_mm` is of rows and columns."""
    return max((_length(each, *spacing_mm) for each in diameters(marks)), default=None)


def _length(diameter: Diameter, row_mm: float = 1.0, column_mm: float = 1.0) -> float:
    (x0, y0), (x1, y1) = diameter
    return math.hypot((x1 - x0) * column_mm, (y1 - y0) * row_mm)


def _middle(diameter: Diameter) -> Point:
    (x0, y0), (x1, y1) = diameter
    return (x0 + x1) / 2, (y0 + y1) / 2


def _middles_apart(pair: tuple[Diameter, Diameter]) -> float:
    return math.dist(*map(_middle, pair)) / max(map(_length, pair))


def _cross_in_the_middle(one: Diameter, other: Diameter) -> bool:
    lengths = _length(one), _length(other)
    if min(lengths) < SHORTEST_PX or min(lengths) < LEAST_RATIO * max(lengths):
        return False
    return (
        _middles_apart((one, other)) <= OFF_CENTRE and _angle(one, other) >= LEAST_ANGLE
    )


def _angle(one: Diameter, other: Diameter) -> float:
    """Between two lines, 0 to pi / 2."""
    (a, b), (c, d) = (np.subtract(end, start) for start, end in (one, other))
    return math.atan2(abs(a * d - b * c), abs(a * c + b * d))


def _box(diameter: Diameter, width: int, height: int) -> dict[str, list[float]]:
    (x, y), radius = _middle(diameter), _length(diameter) / 2
    left = max(x - radius, 0)
    top = max(y - radius, 0)
    right = min(x + radius, width)
    bottom = min(y + radius, height)
    return {"box": [left, top, right - left, bottom - top]}


def _ellipse(
    one: Diameter, other: Diameter, width: int, height: int
) -> dict[str, list[list[float]]]:
    """The ellipse that has both as conjugate diameters, shifted to their common middle."""
    centre = np.mean([_middle(one), _middle(other)], 0)
    halves = np.array([np.subtract(end, start) / 2 for start, end in (one, other)])
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    corners = centre + np.stack([np.cos(turn), np.sin(turn)], -1) @ halves
    return {"polygon": np.clip(corners, 0, [width - 1, height - 1]).tolist()}
