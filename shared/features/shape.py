"""Shape of the nodule's outline in the image plane, in pixels.

The SERA deck gives circularity and sphericity as formulas and names the others; where it gives none, the common
definition stands beside the feature.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

DIGITISATION = float(np.pi * (1 + np.sqrt(2)) / 8)
"""Kulpa's factor: a chain of steps in eight directions is that much too long on a smooth outline (Kulpa 1977)."""
CORNER = np.sqrt(0.5)
EDGE = 1.0
SADDLE = np.sqrt(2)
STEP = np.zeros(16)
STEP[[1, 2, 4, 8, 7, 11, 13, 14]] = CORNER
STEP[[3, 5, 10, 12]] = EDGE
STEP[[6, 9]] = SADDLE
"""Outline inside a 2 x 2 neighbourhood, by which of its pixels are in (bits 1, 2 above; 4, 8 below)."""


def shape_features(mask: NDArray[np.bool_]) -> dict[str, float]:
    """Shape features of a mask (H, W) that is not empty.

    Ratios that cannot exceed 1 for a true outline are cut at 1, which digitisation can pass on a few pixels. Holes
    count towards the perimeter.
    """
    area = float(mask.sum())
    perimeter_px = perimeter(mask)
    hull_area, hull_perimeter = _hull(mask)
    major, minor = _axes(mask)
    circularity = min(2 * np.sqrt(np.pi * area) / perimeter_px, 1.0)
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
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
        "height_to_width": float(np.ptp(rows) + 1) / float(np.ptp(columns) + 1),
    }


def perimeter(mask: NDArray[np.bool_]) -> float:
    """Length in pixels of the outline halfway between inner and outer pixels, corrected for digitisation."""
    padded = np.pad(mask, 1).astype(np.uint8)
    codes = (
        padded[:-1, :-1]
        + 2 * padded[:-1, 1:]
        + 4 * padded[1:, :-1]
        + 8 * padded[1:, 1:]
    )
    return float(np.bincount(codes.ravel(), minlength=16) @ STEP) * DIGITISATION


def _hull(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Area and perimeter of the convex hull, grown by half a pixel on all sides (Steiner's formula)."""
    rows = np.flatnonzero(mask.any(1))
    left = mask[rows].argmax(1)
    right = mask.shape[1] - 1 - mask[rows, ::-1].argmax(1)
    ends = np.stack([np.concatenate([left, right]), np.concatenate([rows, rows])], 1)
    hull = cv2.convexHull(ends.astype(np.int32))
    length = cv2.arcLength(hull, closed=True)
    return cv2.contourArea(hull) + length / 2 + np.pi / 4, length + np.pi


def _axes(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Major and minor axis in pixels of the ellipse with the mask's second moments, each pixel a unit square."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    of_x, of_xy, of_y = (
        moments[name] / moments["m00"] for name in ("mu20", "mu11", "mu02")
    )
    covariance = np.array([[of_x, of_xy], [of_xy, of_y]]) + np.eye(2) / 12
    minor, major = 4 * np.sqrt(np.linalg.eigvalsh(covariance))
    return float(major), float(minor)
