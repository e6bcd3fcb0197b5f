"""Photos of a screen: its corners are found, it is made straight, and what the photo spoils is measured."""

from shared.imaging.photos.corners import Corners, Found, find_corners
from shared.imaging.photos.errors import CornersInvalid
from shared.imaging.photos.faults import Faults, findings, measure
from shared.imaging.photos.rectify import read_corners, straighten

__all__ = [
    "Corners",
    "CornersInvalid",
    "Faults",
    "Found",
    "find_corners",
    "findings",
    "measure",
    "read_corners",
    "straighten",
]
