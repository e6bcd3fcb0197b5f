"""Finds the four corners of a bright screen in a photo of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Points = NDArray[np.float64]
"""(N, 2): x, y in pixels."""
Corners = NDArray[np.float64]
"""(4, 2): x, y in pixels, clockwise from the upper left."""
Line = tuple[Points, Points]
"""A point (2,) and a direction (2,)."""

COARSE_PX = 640
"""Longer side of the photo in which outlines are searched."""
LEVEL_COUNT = 24
"""Number of grey levels that are tried as the threshold between screen and frame."""
MIN_AREA_SHARE = 0.08
MAX_AREA_SHARE = 0.985
"""Area as a share of the photo.

A smaller quadrilateral is a window of the program, a larger one is the photo itself.
"""
APPROXIMATION_TOLERANCES = (0.01, 0.02, 0.035, 0.05)
"""How far an outline may deviate from four sides, as shares of its length."""
MIN_HULL_COVERAGE = 0.93
"""Minimum ratio of a quadrilateral's area to its region's hull; the inverse is the maximum."""
SIDE_SAMPLES = 48
STEP_PX = 3
MIN_STEP = 3.0
"""Grey levels between a point just outside a side and a point just inside it."""
MIN_BORDER_SHARE = 0.72
MIN_SIDE_SHARE = 0.5
"""Share of the whole border, and of each side, along which the inside is brighter."""
SIDE_RANGE = (0.06, 0.94)
"""Part of a side that is sampled, as shares of its length."""
EXTENSION_RANGES = ((-0.12, -0.03), (1.03, 1.12))
MAX_EXTENSION_SHARE = 0.75
"""Parts beyond the ends of a side, and the share of them that may be brighter inside.

With a larger share, the side continues beyond the corners.
"""
MAX_SKEW_DEG = 35.0
"""Maximum deviation of an angle from a right angle. A photo with a larger tilt is of no use."""
SEARCH_SHARE = 0.012
"""How far a side is moved towards the largest change of grey, as a share of the longer side."""
FRAME_WIDTH_RANGE = (0.02, 0.16)
"""Distance between the corners of a screen and of its frame, as shares of the longest side."""
MAX_FRAME_DEVIATION = 3.0
"""Standard deviation in grey levels along a side of a frame."""
INSET_SHARE = 0.08


@dataclass(frozen=True, eq=False)
class ScreenCorners:
    """Corners in pixels of the photo.

    `is_screen` is False if no screen was found. Then the corners lie a little inside the photo's
    own corners.
    """

    corners: Corners
    is_screen: bool


def find_corners(photo: Grey) -> ScreenCorners:
    """Find the corners of the largest bright quadrilateral.

    Parameters
    ----------
    photo : (height, width) uint8 grey

    Returns
    -------
    ScreenCorners
        in pixels of the photo.
    """
    height, width = photo.shape
    scale = min(COARSE_PX / max(height, width), 1.0)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    coarse = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.uint8)
    candidates = sorted(_candidates(coarse), key=_area, reverse=True)
    if not candidates:
        return ScreenCorners(corners=inset(width, height), is_screen=False)
    screen = _without_frame(coarse, candidates)
    return ScreenCorners(
        corners=_refined_corners(photo, screen / scale), is_screen=True
    )


def inset(width: int, height: int) -> Corners:
    """Return the corners of a rectangle a little inside a photo of `width` x `height` pixels."""
    low = INSET_SHARE
    high = 1 - INSET_SHARE
    shares = np.array([(low, low), (high, low), (high, high), (low, high)])
    return shares * (width - 1, height - 1)


def clockwise(corners: Corners) -> Corners:
    """Sort the corners around their centre.

    The corner nearest to the upper left is the first.
    """
    offsets = corners - corners.mean(0)
    angles = np.arctan2(offsets[:, 1], offsets[:, 0])
    by_angle = corners[np.argsort(angles)]
    first = int(np.argmin(by_angle.sum(1)))
    return np.roll(by_angle, -first, 0)


def _without_frame(coarse: Grey, candidates: list[Corners]) -> Corners:
    """Return the largest candidate.

    If it is the frame around a screen, return the screen inside it.
    """
    largest = candidates[0]
    for smaller in candidates[1:]:
        if _is_frame_around(largest, smaller):
            return smaller
    if not _is_plain(coarse, largest):
        return largest
    for shrunk in _shrunk_quadrilaterals(largest):
        if _has_edges(coarse, shrunk):
            return shrunk
    return largest


def _is_plain(coarse: Grey, corners: Corners) -> bool:
    """Return whether the grey hardly varies just inside all sides, as it does on a frame."""
    points, normals = _sample_sides(corners, *SIDE_RANGE)
    strip = _grey_at(coarse, points + 2 * STEP_PX * normals).reshape(4, -1)
    return bool(strip.std(1).max() <= MAX_FRAME_DEVIATION)


def _shrunk_quadrilaterals(corners: Corners) -> Iterator[Corners]:
    """Yield the quadrilaterals of the same shape, each smaller than the one before."""
    centre = corners.mean(0)
    for share in np.arange(0.97, 0.75, -0.01):
        yield centre + share * (corners - centre)


def _has_edges(coarse: Grey, corners: Corners) -> bool:
    """Return whether grey changes across most of each side, to brighter or to darker."""
    steps = _steps_inwards(coarse, corners, *SIDE_RANGE)
    has_edge = np.abs(steps) >= MIN_STEP
    return bool(has_edge.mean(1).min() >= MIN_SIDE_SHARE)


def _is_frame_around(outer: Corners, inner: Corners) -> bool:
    """Return whether `inner` lies in `outer` at about the same distance on all sides."""
    gaps = np.linalg.norm(inner - outer, axis=1)
    min_share, max_share = FRAME_WIDTH_RANGE
    longest_side = np.linalg.norm(np.roll(outer, -1, 0) - outer, axis=1).max()
    contour = outer.astype(np.float32)
    for x, y in inner:
        if cv2.pointPolygonTest(contour, (float(x), float(y)), True) <= 0:
            return False
    max_gap = min(max_share * longest_side, 2 * gaps.min())
    return bool(gaps.min() >= min_share * longest_side and gaps.max() <= max_gap)


def _candidates(coarse: Grey) -> Iterator[Corners]:
    """Yield the quadrilaterals that are brighter inside their border."""
    quantiles = np.quantile(coarse, np.linspace(0.03, 0.9, LEVEL_COUNT))
    for level in np.unique(quantiles.astype(int)):
        bright = (coarse > level).astype(np.uint8)
        closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        outlines, _ = cv2.findContours(closed, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for outline in outlines:
            corners = _quadrilateral(np.asarray(outline, np.int32), coarse.size)
            if corners is not None and _stands_out(coarse, corners):
                yield corners


def _quadrilateral(outline: NDArray[np.int32], photo_pixels: int) -> Corners | None:
    """Return the quadrilateral that approximates an outline, or None if there is none."""
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if not MIN_AREA_SHARE * photo_pixels <= area <= MAX_AREA_SHARE * photo_pixels:
        return None
    length = cv2.arcLength(hull, True)
    for tolerance in APPROXIMATION_TOLERANCES:
        polygon = cv2.approxPolyDP(hull, tolerance * length, True)
        corners = polygon.reshape(-1, 2).astype(np.float64)
        if len(corners) != 4 or not _is_nearly_rectangular(corners):
            continue
        if MIN_HULL_COVERAGE <= _area(corners) / area <= 1 / MIN_HULL_COVERAGE:
            return clockwise(corners)
    return None


def _is_nearly_rectangular(corners: Corners) -> bool:
    sides = np.roll(corners, -1, 0) - corners
    sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-9)
    cosines = np.abs((sides * np.roll(sides, -1, 0)).sum(1))
    return bool((cosines <= np.sin(np.radians(MAX_SKEW_DEG))).all())


def _area(corners: Corners) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))


def _stands_out(coarse: Grey, corners: Corners) -> bool:
    """Return whether the inside is brighter than the outside.

    It must also hold that no side continues beyond its ends.
    """
    is_brighter = _steps_inwards(coarse, corners, *SIDE_RANGE) >= MIN_STEP
    share_by_side = is_brighter.mean(1)
    if share_by_side.mean() < MIN_BORDER_SHARE or share_by_side.min() < MIN_SIDE_SHARE:
        return False
    return _ends_at_corners(coarse, corners)


def _ends_at_corners(coarse: Grey, corners: Corners) -> bool:
    """Return whether all sides end at the corners.

    A side that continues belongs to a larger quadrilateral.
    """
    for start, end in EXTENSION_RANGES:
        is_brighter = _steps_inwards(coarse, corners, start, end) >= MIN_STEP
        if is_brighter.mean(1).max() >= MAX_EXTENSION_SHARE:
            return False
    return True


def _steps_inwards(
    coarse: Grey, corners: Corners, start: float, end: float
) -> NDArray[np.float32]:
    """Return the difference of grey (4, samples) between inside and outside along each side."""
    points, normals = _sample_sides(corners, start, end)
    inside = _grey_at(coarse, points + STEP_PX * normals)
    outside = _grey_at(coarse, points - STEP_PX * normals)
    return (inside - outside).reshape(4, -1)


def _sample_sides(
    corners: Corners, start: float, end: float
) -> tuple[Points, NDArray[np.float64]]:
    """Return points on the four sides and the inward unit normals, both (4 * samples, 2).

    `start` and `end` are shares of a side's length.
    """
    next_corners = np.roll(corners, -1, 0)
    shares = np.linspace(start, end, SIDE_SAMPLES)[None, :, None]
    points = corners[:, None] * (1 - shares) + next_corners[:, None] * shares
    sides = next_corners - corners
    lengths = np.linalg.norm(sides, axis=1, keepdims=True)
    normals = np.stack([-sides[:, 1], sides[:, 0]], 1) / lengths
    return points.reshape(-1, 2), np.repeat(normals, SIDE_SAMPLES, 0)


def _grey_at(photo: Grey, points: Points) -> NDArray[np.float32]:
    """Interpolate the grey (N,) at points (N, 2).

    Outside the photo it is the grey of the nearest edge.
    """
    x, y = points.astype(np.float32).T
    grey = cv2.remap(
        photo, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(grey[0], np.float32)


def _refined_corners(photo: Grey, corners: Corners) -> Corners:
    """Move each side to the largest rise of grey, and return the intersections of the sides."""
    reach_px = max(round(SEARCH_SHARE * max(photo.shape)), 4)
    offsets = np.arange(-reach_px, reach_px + 1)
    points, normals = _sample_sides(corners, *SIDE_RANGE)
    smooth = np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.5), np.uint8)
    profile = np.stack(
        [_grey_at(smooth, points + offset * normals) for offset in offsets]
    )
    rise = np.diff(profile, axis=0)
    steepest = rise.argmax(0)
    is_visible = rise.max(0) >= MIN_STEP / 2
    edge = points + (offsets[steepest] + 0.5)[:, None] * normals
    lines: list[Line] = []
    for side in range(4):
        samples = slice(side * SIDE_SAMPLES, (side + 1) * SIDE_SAMPLES)
        visible_points = edge[samples][is_visible[samples]]
        lines.append(_fit_side(visible_points, corners, side))
    intersections = np.array(
        [_intersection(lines[side - 1], lines[side]) for side in range(4)]
    )
    max_move_px = np.linalg.norm(intersections - corners, axis=1).max()
    if np.isfinite(max_move_px) and max_move_px <= 4 * reach_px:
        return intersections
    return corners


def _fit_side(points: Points, corners: Corners, side: int) -> Line:
    """Fit a line through the visible points of a side.

    If too few points are visible, the side is returned unchanged.
    """
    if len(points) < SIDE_SAMPLES // 3:
        return corners[side], corners[(side + 1) % 4] - corners[side]
    direction_x, direction_y, x, y = cv2.fitLine(
        points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01
    ).ravel()
    return np.array([x, y], float), np.array([direction_x, direction_y], float)


def _intersection(first: Line, second: Line) -> Points:
    """Return the point (2,) where two lines meet. It is infinite for parallel lines."""
    first_point, first_direction = first
    second_point, second_direction = second
    cross = (
        first_direction[0] * second_direction[1]
        - first_direction[1] * second_direction[0]
    )
    if abs(cross) < 1e-9:
        return np.array([np.inf, np.inf])
    gap = second_point - first_point
    numerator = gap[0] * second_direction[1] - gap[1] * second_direction[0]
    point: Points = first_point + first_direction * numerator / cross
    return point
