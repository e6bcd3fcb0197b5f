"""Measures an ROI in millimetres."""

import cv2
import numpy as np

from shared.imaging.regions.roi import Roi


def diameter_mm(roi: Roi, spacing_mm: tuple[float, float]) -> float:
    """Return the largest diameter of an ROI.

    Parameters
    ----------
    roi : in pixels
    spacing_mm : millimetres between rows and between columns

    Returns
    -------
    mm : the longer side of a box; for a polygon the largest Feret diameter, which is the distance
        between the two corners that are farthest apart
    """
    rows_mm, columns_mm = spacing_mm
    if roi.box:
        _, _, width, height = roi.box
        return max(width * columns_mm, height * rows_mm)
    corners = np.array(roi.polygon) * (columns_mm, rows_mm)
    # The import of scipy.spatial is slow, and the gateway imports this module but measures nothing.
    from scipy.spatial.distance import pdist

    hull = cv2.convexHull(corners.astype(np.float32)).reshape(-1, 2)
    distances = pdist(hull.astype(np.float64))
    return float(distances.max(initial=0.0))
