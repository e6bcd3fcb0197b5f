"""Rectifies a photographed screen: turns the area between its corners into a front view."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.strict_json import load_json
from shared.imaging.photos.corners import Corners
from shared.imaging.photos.errors import CornersInvalid

Grey = NDArray[np.uint8]
FOCAL_SHARE = 0.6
"""Focal length of a phone's main camera as a share of the photo's diagonal.

It is 26 mm on a frame with a diagonal of 43.3 mm.
"""
MAX_SIDE_PX = 1600
MIN_SIDE_PX = 32
"""Bounds of the longer and of the shorter side of the rectified picture."""
MAX_ASPECT = 5.0
ANTIALIASING_SCALE = 0.75


def parse_corners(text: str, width: int, height: int) -> Corners:
    """Read corners from JSON `[[x,y],[x,y],[x,y],[x,y]]`, clockwise from the upper left.

    Parameters
    ----------
    text : the JSON text
    width, height : of the photo in pixels

    Raises
    ------
    CornersInvalid
        for anything else, for points outside the photo, and for points that are not the corners of
        a convex quadrilateral.
    """
    try:
        corners = np.array(load_json(text), dtype=np.float64)
    except (ValueError, TypeError, RecursionError):
        raise CornersInvalid(problem="they are not four pairs of numbers") from None
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        raise CornersInvalid(problem="they are not four pairs of numbers")
    if (corners < 0).any() or (corners > (width, height)).any():
        raise CornersInvalid(
            problem=f"they reach beyond the photo ({width} x {height})"
        )
    _check_shape(corners)
    return corners


def rectify_photo(photo: Grey, corners: Corners) -> Grey:
    """Return the picture between the corners, with the aspect ratio of the photographed rectangle.

    Parameters
    ----------
    photo : (height, width) uint8 grey
    corners : (4, 2), clockwise from the upper left

    Returns
    -------
    (h, w) uint8; it has as many pixels as the quadrilateral, so that no detail is invented, and at
    most 1600 pixels a side.
    """
    _check_shape(corners)
    width, height = _picture_size(corners, photo.shape)
    rectangle = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), rectangle - 0.5)
    scale = math.sqrt(width * height / _area(corners))
    if scale < ANTIALIASING_SCALE:
        # A blur first, so that pixels are averaged and not skipped.
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.4 / scale), np.uint8)
    picture = cv2.warpPerspective(
        photo,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(picture, np.uint8)


def aspect_ratio(corners: Corners, photo_shape: tuple[int, ...]) -> float:
    """Compute the ratio of width to height of the rectangle that the corners show in perspective.

    The method is that of Zhang & He, Digital Signal Processing 17:271 (2007), with the focal length
    of a phone. The focal length cannot be estimated well from a single view.

    Parameters
    ----------
    corners : (4, 2), clockwise from the upper left
    photo_shape : (height, width)
    """
    height, width = photo_shape
    focal_px = FOCAL_SHARE * math.hypot(width, height)
    upper_left, upper_right, lower_right, lower_left = _rays(corners, width, height)
    normal = np.cross(upper_left, lower_right)
    right_scale = (
        normal @ lower_left / (np.cross(upper_right, lower_right) @ lower_left)
    )
    left_scale = (
        normal @ upper_right / (np.cross(lower_left, lower_right) @ upper_right)
    )
    upper_side = right_scale * upper_right - upper_left
    left_side = left_scale * lower_left - upper_left
    ratio = _length(upper_side, focal_px) / _length(left_side, focal_px)
    return min(max(ratio, 1 / MAX_ASPECT), MAX_ASPECT)


def _length(side: NDArray[np.float64], focal_px: float) -> float:
    return math.hypot(side[0] / focal_px, side[1] / focal_px, side[2])


def _rays(corners: Corners, width: int, height: int) -> NDArray[np.float64]:
    """Return the corners relative to the photo's centre, in homogeneous coordinates, (4, 3)."""
    centre = ((width - 1) / 2, (height - 1) / 2)
    return np.column_stack([corners - centre, np.ones(4)])


def _picture_size(corners: Corners, photo_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the width and height of the rectified picture."""
    aspect = aspect_ratio(corners, photo_shape)
    area = _area(corners)
    width = math.sqrt(area * aspect)
    height = math.sqrt(area / aspect)
    scale = min(MAX_SIDE_PX / max(width, height), 1.0)
    scaled_width = max(round(width * scale), MIN_SIDE_PX)
    scaled_height = max(round(height * scale), MIN_SIDE_PX)
    return scaled_width, scaled_height


def _check_shape(corners: Corners) -> None:
    contour = corners.astype(np.float32)
    is_convex = cv2.isContourConvex(contour)
    if not is_convex or cv2.contourArea(contour, oriented=True) <= 0:
        raise CornersInvalid(problem="they do not go clockwise around a convex shape")
    side_lengths = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    if min(side_lengths) < MIN_SIDE_PX:
        raise CornersInvalid(problem=f"a side is shorter than {MIN_SIDE_PX} pixels")


def _area(corners: Corners) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))
