"""Photos of a screen: its corners are found, it is made straight, and what the photo spoils is measured."""

from shared.imaging.photos.corners import Corners, ScreenCorners, find_corners
from shared.imaging.photos.errors import CornersInvalid
from shared.imaging.photos.faults import PhotoFaults, fault_findings, measure_faults
from shared.imaging.photos.rectify import parse_corners, rectify_photo

__all__ = [
    "Corners",
    "CornersInvalid",
    "PhotoFaults",
    "ScreenCorners",
    "find_corners",
    "fault_findings",
    "measure_faults",
    "parse_corners",
    "rectify_photo",
]
