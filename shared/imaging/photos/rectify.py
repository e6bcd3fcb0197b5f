"""From a photographed screen and its corners to the picture on it, seen from the front."""

import json
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.photos.corners import Corners
from shared.imaging.photos.errors import CornersInvalid

Grey = NDArray[np.uint8]
FOCAL = 0.6
"""Focal length of a phone's main camera as a share of the photo's diagonal: 26 mm on a 43.3 mm frame."""
MOST_PX = 1600
LEAST_PX = 32
"""Longer side of the straight picture at most, shorter at least."""
MOST_ASPECT = 5.0


def parse_corners(sent: str, width: int, height: int) -> Corners:
    """Corners from JSON `[[x,y],[x,y],[x,y],[x,y]]`, clockwise from the upper left.

    Raises
    ------
    CornersInvalid
        for anything else, for points outside the photo, and for what is no convex quadrilateral.
    """
    try:
        told = np.array(json.loads(sent), dtype=np.float64)
    except (ValueError, TypeError, RecursionError):
        raise CornersInvalid(problem="they are not four pairs of numbers") from None
    if told.shape != (4, 2) or not np.isfinite(told).all():
        raise CornersInvalid(problem="they are not four pairs of numbers")
    if (told < 0).any() or (told > (width, height)).any():
        raise CornersInvalid(
            problem=f"they reach beyond the photo ({width} x {height})"
        )
    _check_shape(told)
    return told


def rectify_photo(photo: Grey, corners: Corners) -> Grey:
    """The picture between the corners, with the aspect of the rectangle that it is of.

    Parameters
    ----------
    photo : (height, width) uint8 grey
    corners : (4, 2), clockwise from the upper left

    Returns
    -------
    (h, w) uint8 with as many pixels as the quadrilateral had, so that nothing is made up, and 1600 a side at most.
    """
    _check_shape(corners)
    width, height = _size(corners, photo.shape)
    flat = (
        np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
    )
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), flat)
    shrink = math.sqrt(width * height / _area(corners))
    if shrink < 0.75:  # so that what is left out is averaged, not skipped
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.4 / shrink), np.uint8)
    picture = cv2.warpPerspective(
        photo,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(picture, np.uint8)


def aspect_ratio(corners: Corners, photo_shape: tuple[int, ...]) -> float:
    """Width over height of the rectangle that the corners are a view of.

    After Zhang & He, Digital Signal Processing 17:271 (2007), with the focal length of a phone: one view tells it too
    badly to be used.
    """
    height, width = photo_shape
    focal = FOCAL * math.hypot(width, height)
    upper_left, upper_right, lower_right, lower_left = _rays(corners, width, height)
    normal = np.cross(upper_left, lower_right)
    across = (
        normal
        @ lower_left
        / (np.cross(upper_right, lower_right) @ lower_left)
        * upper_right
        - upper_left
    )
    down = (
        normal
        @ upper_right
        / (np.cross(lower_left, lower_right) @ upper_right)
        * lower_left
        - upper_left
    )
    wide, tall = (
        math.hypot(side[0] / focal, side[1] / focal, side[2]) for side in (across, down)
    )
    return min(max(wide / tall, 1 / MOST_ASPECT), MOST_ASPECT)


def _rays(corners: Corners, width: int, height: int) -> NDArray[np.float64]:
    """Corners about the photo's middle, homogeneous: (4, 3)."""
    return np.column_stack([corners - ((width - 1) / 2, (height - 1) / 2), np.ones(4)])


def _size(corners: Corners, photo_shape: tuple[int, ...]) -> tuple[int, int]:
    aspect = aspect_ratio(corners, photo_shape)
    area = _area(corners)
    width = math.sqrt(area * aspect)
    height = math.sqrt(area / aspect)
    scale = min(MOST_PX / max(width, height), 1.0)
    return max(round(width * scale), LEAST_PX), max(round(height * scale), LEAST_PX)


def _check_shape(corners: Corners) -> None:
    if (
        not cv2.isContourConvex(corners.astype(np.float32))
        or cv2.contourArea(corners.astype(np.float32), oriented=True) <= 0
    ):
        raise CornersInvalid(problem="they do not go clockwise around a convex shape")
    if min(np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)) < LEAST_PX:
        raise CornersInvalid(problem=f"a side is shorter than {LEAST_PX} pixels")


def _area(corners: Corners) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))
