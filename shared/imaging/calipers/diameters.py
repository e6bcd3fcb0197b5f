"""The diameters that caliper marks measure: two marks give one diameter, four marks give two."""

import math
from collections.abc import Mapping

import numpy as np

from shared.imaging.calipers.marks import Mark, end_marks
from shared.imaging.errors import RoiInvalid, RoiTooSmall
from shared.imaging.regions.roi import Roi

Point = tuple[float, float]
Diameter = tuple[Point, Point]

MIN_LENGTH_PX = 16.0
MAX_LENGTH_SHARE = 0.98
"""Length as a share of the image's diagonal.

Marks at opposite corners measure the screen and not a nodule.
"""
MAX_CENTRE_DISTANCE = 0.30
"""How far apart the centres of two axes may be, as a share of the longer axis."""
MIN_ANGLE = math.radians(50)
MIN_AXIS_RATIO = 0.25
"""Ratio of the shorter to the longer axis. Flatter nodules do not occur."""
ELLIPSE_CORNERS = 48


def diameters(marks: tuple[Mark, ...]) -> tuple[Diameter, ...]:
    """Return the diameters between end marks, in pixels.

    Two end marks give one diameter. Four end marks give two diameters if the diameters cross. Any
    other number or arrangement gives no diameter.
    """
    points = [(mark.x, mark.y) for mark in end_marks(marks)]
    if len(points) == 2:
        diameter = (points[0], points[1])
        return (diameter,) if _length(diameter) >= MIN_LENGTH_PX else ()
    if len(points) != 4:
        return ()
    pairings = [
        ((points[0], points[1]), (points[2], points[3])),
        ((points[0], points[2]), (points[1], points[3])),
        ((points[0], points[3]), (points[1], points[2])),
    ]
    crossing = [pair for pair in pairings if _cross_near_centres(pair)]
    if not crossing:
        return ()
    return min(crossing, key=_centre_distance)


def roi_from_marks(marks: tuple[Mark, ...], width: int, height: int) -> Roi | None:
    """Return the ROI that end marks enclose.

    Parameters
    ----------
    marks : all marks of an image
    width, height : of the image in pixels

    Returns
    -------
    For two end marks, the bounding box of the circle with this diameter. For four end marks, the
    ellipse through them. Both are clipped to the image. None for any other number of marks, or if
    the marks cannot belong to a nodule.
    """
    axes = diameters(marks)
    max_length = MAX_LENGTH_SHARE * math.hypot(width, height)
    if not axes or max(_length(axis) for axis in axes) > max_length:
        return None
    fields: Mapping[str, object]
    if len(axes) == 1:
        fields = _box_fields(axes[0], width=width, height=height)
    else:
        fields = _ellipse_fields((axes[0], axes[1]), width=width, height=height)
    try:
        return Roi.parse(fields)
    except (RoiInvalid, RoiTooSmall):
        return None


def caliper_mm(
    marks: tuple[Mark, ...], spacing_mm: tuple[float, float]
) -> float | None:
    """Return the longest diameter between end marks in mm, or None if there is no diameter.

    Parameters
    ----------
    marks : all marks of an image
    spacing_mm : row and column spacing
    """
    row_mm, column_mm = spacing_mm
    lengths_mm = [
        _length(diameter, row_mm=row_mm, column_mm=column_mm)
        for diameter in diameters(marks)
    ]
    return max(lengths_mm, default=None)


def _length(diameter: Diameter, row_mm: float = 1.0, column_mm: float = 1.0) -> float:
    (x0, y0), (x1, y1) = diameter
    return math.hypot((x1 - x0) * column_mm, (y1 - y0) * row_mm)


def _centre(diameter: Diameter) -> Point:
    (x0, y0), (x1, y1) = diameter
    return (x0 + x1) / 2, (y0 + y1) / 2


def _centre_distance(pair: tuple[Diameter, Diameter]) -> float:
    """Return the distance of the centres of two axes, as a share of the longer axis."""
    first, second = pair
    distance = math.dist(_centre(first), _centre(second))
    return distance / max(_length(first), _length(second))


def _cross_near_centres(pair: tuple[Diameter, Diameter]) -> bool:
    first, second = pair
    shorter, longer = sorted([_length(first), _length(second)])
    if shorter < MIN_LENGTH_PX or shorter < MIN_AXIS_RATIO * longer:
        return False
    if _centre_distance(pair) > MAX_CENTRE_DISTANCE:
        return False
    return _angle(first, second) >= MIN_ANGLE


def _angle(first: Diameter, second: Diameter) -> float:
    """Return the angle between two lines in radians, 0 to pi / 2."""
    a, b = np.subtract(first[1], first[0])
    c, d = np.subtract(second[1], second[0])
    return math.atan2(abs(a * d - b * c), abs(a * c + b * d))


def _box_fields(diameter: Diameter, width: int, height: int) -> dict[str, list[float]]:
    x, y = _centre(diameter)
    radius = _length(diameter) / 2
    left = max(x - radius, 0)
    top = max(y - radius, 0)
    right = min(x + radius, width)
    bottom = min(y + radius, height)
    return {"box": [left, top, right - left, bottom - top]}


def _ellipse_fields(
    axes: tuple[Diameter, Diameter], width: int, height: int
) -> dict[str, list[list[float]]]:
    """Return the ellipse with both axes as conjugate diameters, moved to their common centre."""
    centre = np.mean([_centre(axis) for axis in axes], 0)
    semi_axes = np.array([np.subtract(end, start) / 2 for start, end in axes])
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], -1)
    corners = centre + directions @ semi_axes
    return {"polygon": np.clip(corners, 0, [width - 1, height - 1]).tolist()}
