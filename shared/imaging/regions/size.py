"""How large an ROI is in millimetres."""

import cv2
import numpy as np

from shared.imaging.regions.roi import Roi


def measured_mm(roi: Roi, spacing_mm: tuple[float, float]) -> float:
    """Largest diameter of an ROI.

    Parameters
    ----------
    roi : in pixels
    spacing_mm : millimetres between rows and between columns

    Returns
    -------
    mm : of a box the longer side, of a polygon the largest Feret diameter, between the corners farthest apart
    """
    rows_mm, columns_mm = spacing_mm
    if roi.box:
        _, _, width, height = roi.box
        return max(width * columns_mm, height * rows_mm)
    corners = np.array(roi.polygon) * (columns_mm, rows_mm)
    # Here, for scipy.spatial takes a while to import, and the gateway measures nothing.
    from scipy.spatial.distance import pdist

    hull = cv2.convexHull(corners.astype(np.float32)).reshape(-1, 2)
    return float(pdist(hull.astype(np.float64)).max(initial=0.0))
