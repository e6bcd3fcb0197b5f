"""Photos of a screen: find the corners, rectify the picture, measure the photo's faults."""

from shared.imaging.photos.corners import Corners, ScreenCorners, find_corners
from shared.imaging.photos.errors import CornersInvalid
from shared.imaging.photos.faults import PhotoFaults, fault_findings, measure_faults
from shared.imaging.photos.rectify import parse_corners, rectify_photo

__all__ = [
    "Corners",
    "CornersInvalid",
    "PhotoFaults",
    "ScreenCorners",
    "fault_findings",
    "find_corners",
    "measure_faults",
    "parse_corners",
    "rectify_photo",
]
