"""The four corners of a bright screen in a photo of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Corners = NDArray[np.float64]
"""(4, 2): x, y in pixels, clockwise from the upper left."""

COARSE_PX = 640
"""Longer side of the photo while outlines are sought."""
LEVELS = 24
"""How many grey levels are tried as the border between screen and frame."""
LEAST_AREA = 0.08
MOST_AREA = 0.985
"""Of the photo; a smaller quadrilateral is a window of the program, a larger one the photo itself."""
BENT = (0.01, 0.02, 0.035, 0.05)
"""How far an outline may bend from four sides, as shares of its length."""
STRAIGHT = 0.93
"""Of the hull of a region, what its quadrilateral must cover and may at most exceed (as its inverse)."""
SIDE_SAMPLES = 48
STEP_PX = 3
LEAST_STEP = 3.0
"""Grey levels from just outside a side to just inside it."""
LEAST_SUPPORT = 0.72
LEAST_SIDE = 0.5
"""Share of the border, and of each side, along which it is brighter inside."""
WITHIN = (0.06, 0.94)
BEYOND = ((-0.12, -0.03), (1.03, 1.12))
GOES_ON = 0.75
"""Parts of a side, as shares of its length: where it is looked at, and where it must not go on so often."""
SQUARE_DEG = 35.0
"""How far an angle may be from a right one; a phone held worse than that is of no use."""
SEARCH = 0.012
"""How far a side is moved to where the grey changes most, as a share of the photo's longer side."""
FRAME = (0.02, 0.16)
"""Least and greatest distance between the corners of a screen and of its frame, as shares of the longest side."""
MOST_PLAIN = 3.0
"""Standard deviation in grey levels along a side of a frame."""
INSET = 0.08


@dataclass(frozen=True, eq=False)
class ScreenCorners:
    """Corners, and whether they are the screen's; if not, they lie a little inside the photo's own."""

    corners: Corners
    is_screen: bool


def find_corners(photo: Grey) -> ScreenCorners:
    """Corners of the largest bright quadrilateral.

    Parameters
    ----------
    photo : (height, width) uint8 grey

    Returns
    -------
    Found
        in pixels of the photo.
    """
    height, width = photo.shape
    scale = min(COARSE_PX / max(height, width), 1.0)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    coarse = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.uint8)
    seen = sorted(_candidates(coarse), key=_area, reverse=True)
    if not seen:
        return ScreenCorners(inset(width, height), False)
    return ScreenCorners(_refined(photo, _unframed(coarse, seen) / scale), True)


def inset(width: int, height: int) -> Corners:
    """A rectangle a little inside the photo."""
    share = np.array(
        [(INSET, INSET), (1 - INSET, INSET), (1 - INSET, 1 - INSET), (INSET, 1 - INSET)]
    )
    return share * (width - 1, height - 1)


def clockwise(corners: Corners) -> Corners:
    """Sorted around their middle, the one nearest the upper left first."""
    away = corners - corners.mean(0)
    turned = corners[np.argsort(np.arctan2(away[:, 1], away[:, 0]))]
    return np.roll(turned, -int(np.argmin(turned.sum(1))), 0)


def _unframed(coarse: Grey, seen: list[Corners]) -> Corners:
    """The largest; where it is the plain frame around a screen, the screen."""
    outer = seen[0]
    inner = [each for each in seen[1:] if _framed(outer, each)]
    if inner:
        return inner[0]
    if not _plain(coarse, outer):
        return outer
    return next((each for each in _shrunk(outer) if _edged(coarse, each)), outer)


def _plain(coarse: Grey, corners: Corners) -> bool:
    """Whether the grey hardly varies just inside all sides, as it does on a frame."""
    points, normals = _along(corners, *WITHIN)
    strip = _at(coarse, points + 2 * STEP_PX * normals).reshape(4, -1)
    return bool(strip.std(1).max() <= MOST_PLAIN)


def _shrunk(corners: Corners) -> Iterator[Corners]:
    """The same shape, ever farther inside."""
    middle = corners.mean(0)
    return (
        middle + share * (corners - middle) for share in np.arange(0.97, 0.75, -0.01)
    )


def _edged(coarse: Grey, corners: Corners) -> bool:
    """Whether grey changes across most of all sides, to brighter or darker."""
    points, normals = _along(corners, *WITHIN)
    inner, outer = (_at(coarse, points + sign * STEP_PX * normals) for sign in (1, -1))
    return bool(
        (np.abs(inner - outer) >= LEAST_STEP).reshape(4, -1).mean(1).min() >= LEAST_SIDE
    )


def _framed(outer: Corners, inner: Corners) -> bool:
    """Whether one lies in the other at about the same distance on all sides."""
    gaps = np.linalg.norm(inner - outer, axis=1)
    least, most = FRAME
    longest = np.linalg.norm(np.roll(outer, -1, 0) - outer, axis=1).max()
    inside = all(
        cv2.pointPolygonTest(outer.astype(np.float32), tuple(map(float, at)), True) > 0
        for at in inner
    )
    return bool(
        inside
        and gaps.min() >= least * longest
        and gaps.max() <= min(most * longest, 2 * gaps.min())
    )


def _candidates(coarse: Grey) -> Iterator[Corners]:
    """Quadrilaterals whose border is brighter inside."""
    levels = np.unique(np.quantile(coarse, np.linspace(0.03, 0.9, LEVELS)).astype(int))
    for level in levels:
        bright = (coarse > level).astype(np.uint8)
        closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        for outline in cv2.findContours(closed, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[
            0
        ]:
            corners = _four_sides(np.asarray(outline, np.int32), coarse.size)
            if corners is not None and _stands_out(coarse, corners):
                yield corners


def _four_sides(outline: NDArray[np.int32], pixels: int) -> Corners | None:
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if not LEAST_AREA * pixels <= area <= MOST_AREA * pixels:
        return None
    length = cv2.arcLength(hull, True)
    for bent in BENT:
        found = (
            cv2.approxPolyDP(hull, bent * length, True)
            .reshape(-1, 2)
            .astype(np.float64)
        )
        if (
            len(found) == 4
            and _upright(found)
            and STRAIGHT <= _area(found) / area <= 1 / STRAIGHT
        ):
            return clockwise(found)
    return None


def _upright(corners: Corners) -> bool:
    sides = np.roll(corners, -1, 0) - corners
    sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-9)
    cosines = np.abs((sides * np.roll(sides, -1, 0)).sum(1))
    return bool((cosines <= np.sin(np.radians(SQUARE_DEG))).all())


def _area(corners: Corners) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))


def _stands_out(coarse: Grey, corners: Corners) -> bool:
    """Whether it is brighter inside than outside, and no side goes on beyond its corners."""
    share = _rises(coarse, corners, *WITHIN).mean(1)
    return bool(
        share.mean() >= LEAST_SUPPORT
        and share.min() >= LEAST_SIDE
        and _ends(coarse, corners)
    )


def _ends(coarse: Grey, corners: Corners) -> bool:
    """Whether all sides end at the corners; one that goes on is longer than this quadrilateral."""
    return all(
        _rises(coarse, corners, *beyond).mean(1).max() < GOES_ON for beyond in BEYOND
    )


def _rises(
    coarse: Grey, corners: Corners, start: float, end: float
) -> NDArray[np.bool_]:
    """(4, samples) whether it is brighter inside along a part of each side."""
    points, normals = _along(corners, start, end)
    inner, outer = (_at(coarse, points + sign * STEP_PX * normals) for sign in (1, -1))
    return (inner - outer >= LEAST_STEP).reshape(4, -1)


def _along(corners: Corners, start: float, end: float) -> tuple[Corners, Corners]:
    """Points on the four sides, between shares of their length, and the unit normals that lead inside."""
    ends = np.roll(corners, -1, 0)
    share = np.linspace(start, end, SIDE_SAMPLES)[None, :, None]
    points = corners[:, None] * (1 - share) + ends[:, None] * share
    sides = ends - corners
    normals = np.stack([-sides[:, 1], sides[:, 0]], 1) / np.linalg.norm(
        sides, axis=1, keepdims=True
    )
    return points.reshape(-1, 2), np.repeat(normals, SIDE_SAMPLES, 0)


def _at(photo: Grey, points: Corners) -> NDArray[np.float32]:
    """Grey between pixels; outside the photo that of its edge."""
    x, y = points.astype(np.float32).T
    grey = cv2.remap(
        photo, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(grey[0], np.float32)


def _refined(photo: Grey, corners: Corners) -> Corners:
    """Each side moved to where the grey rises most, then the corners where the sides meet."""
    reach = max(round(SEARCH * max(photo.shape)), 4)
    steps = np.arange(-reach, reach + 1)
    points, normals = _along(corners, *WITHIN)
    smooth = np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.5), np.uint8)
    profile = np.stack([_at(smooth, points + step * normals) for step in steps])
    rise = np.diff(profile, axis=0)
    place = rise.argmax(0)
    seen = rise.max(0) >= LEAST_STEP / 2
    edge = points + (steps[place] + 0.5)[:, None] * normals
    lines = [
        _line(edge[one][seen[one]], corners, number)
        for number, one in enumerate(_each_side())
    ]
    met = np.array([_meeting(lines[number - 1], lines[number]) for number in range(4)])
    moved = np.linalg.norm(met - corners, axis=1).max()
    return met if np.isfinite(moved) and moved <= 4 * reach else corners


def _each_side() -> list[slice]:
    return [
        slice(number * SIDE_SAMPLES, (number + 1) * SIDE_SAMPLES) for number in range(4)
    ]


def _line(points: Corners, corners: Corners, number: int) -> tuple[Corners, Corners]:
    """A point of a side and its direction; the side as it was where too little of it is seen."""
    if len(points) < SIDE_SAMPLES // 3:
        return corners[number], corners[(number + 1) % 4] - corners[number]
    across, down, x, y = cv2.fitLine(
        points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01
    ).ravel()
    return np.array([x, y], float), np.array([across, down], float)


def _meeting(one: tuple[Corners, Corners], other: tuple[Corners, Corners]) -> Corners:
    (start, along), (begin, toward) = one, other
    cross = along[0] * toward[1] - along[1] * toward[0]
    if abs(cross) < 1e-9:
        return np.array([np.inf, np.inf])
    gap = begin - start
    meeting: Corners = start + along * (gap[0] * toward[1] - gap[1] * toward[0]) / cross
    return meeting
