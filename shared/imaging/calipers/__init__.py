"""Burnt-in caliper marks: find them, remove them, and derive the ROI that they enclose."""

from shared.imaging.calipers.detection import find_marks
from shared.imaging.calipers.diameters import caliper_mm, roi_from_marks
from shared.imaging.calipers.marks import Mark, MarkKind, end_marks
from shared.imaging.calipers.removal import remove_marks

__all__ = [
    "Mark",
    "MarkKind",
    "caliper_mm",
    "end_marks",
    "find_marks",
    "remove_marks",
    "roi_from_marks",
]
