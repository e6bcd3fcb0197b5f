"""Features of the nodule's shape in the image plane, in pixels.

The SERA deck gives formulas for circularity and sphericity and only names the other features. For
these features the common definition is stated beside the code.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

DIGITISATION_FACTOR = float(np.pi * (1 + np.sqrt(2)) / 8)
"""Kulpa's correction factor for the length of a digitised outline (Kulpa 1977).

A chain of steps in eight directions is longer than the smooth outline that it follows.
"""
CORNER = np.sqrt(0.5)
EDGE = 1.0
SADDLE = np.sqrt(2)
OUTLINE_LENGTHS_PX = np.zeros(16)
OUTLINE_LENGTHS_PX[[1, 2, 4, 8, 7, 11, 13, 14]] = CORNER
OUTLINE_LENGTHS_PX[[3, 5, 10, 12]] = EDGE
OUTLINE_LENGTHS_PX[[6, 9]] = SADDLE
"""Length of the outline inside a 2 x 2 neighbourhood, in pixels.

The index encodes the pixels that are set: bits 1 and 2 are the upper pixels, 4 and 8 the lower
pixels.
"""


def shape_features(mask: NDArray[np.bool_]) -> dict[str, float]:
    """Return the shape features of a mask (H, W) that is not empty.

    Ratios that cannot exceed 1 for a real outline are limited to 1, because digitisation can push
    them above it in masks of a few pixels. Holes count towards the perimeter.
    """
    area = float(mask.sum())
    perimeter_px = perimeter(mask)
    hull_area, hull_perimeter = _hull_area_and_perimeter(mask)
    major, minor = _ellipse_axes(mask)
    circularity = min(2 * np.sqrt(np.pi * area) / perimeter_px, 1.0)
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    height = float(np.ptp(rows) + 1)
    width = float(np.ptp(columns) + 1)
    return {
        "area": area,
        "perimeter": perimeter_px,
        "compactness": perimeter_px**2 / area,
        "circularity": circularity,
        "sphericity": circularity**2,
        "roundness": min(4 * area / (np.pi * major**2), 1.0),
        "convexity": min(hull_perimeter / perimeter_px, 1.0),
        "solidity": min(area / hull_area, 1.0),
        "elongation": minor / major,
        "height_to_width": height / width,
    }


def perimeter(mask: NDArray[np.bool_]) -> float:
    """Return the length of a mask's outline in pixels.

    The outline runs halfway between inner and outer pixels. Its length is corrected for
    digitisation.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    codes = (
        padded[:-1, :-1]
        + 2 * padded[:-1, 1:]
        + 4 * padded[1:, :-1]
        + 8 * padded[1:, 1:]
    )
    counts = np.bincount(codes.ravel(), minlength=16)
    return float(counts @ OUTLINE_LENGTHS_PX) * DIGITISATION_FACTOR


def _hull_area_and_perimeter(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area and perimeter of the convex hull.

    The hull of the pixel centres is grown by half a pixel on all sides (Steiner's formula).
    """
    rows = np.flatnonzero(mask.any(1))
    left = mask[rows].argmax(1)
    right = mask.shape[1] - 1 - mask[rows, ::-1].argmax(1)
    x = np.concatenate([left, right])
    y = np.concatenate([rows, rows])
    row_ends = np.stack([x, y], 1)
    hull = cv2.convexHull(row_ends.astype(np.int32))
    length = cv2.arcLength(hull, closed=True)
    area = cv2.contourArea(hull) + length / 2 + np.pi / 4
    return area, length + np.pi


def _ellipse_axes(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the major and minor axis in pixels of the ellipse with the mask's second moments.

    Each pixel counts as a unit square.
    """
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    variance_x = moments["mu20"] / moments["m00"]
    covariance_xy = moments["mu11"] / moments["m00"]
    variance_y = moments["mu02"] / moments["m00"]
    covariance = np.array([[variance_x, covariance_xy], [covariance_xy, variance_y]])
    covariance = covariance + np.eye(2) / 12
    minor, major = 4 * np.sqrt(np.linalg.eigvalsh(covariance))
    return float(major), float(minor)
