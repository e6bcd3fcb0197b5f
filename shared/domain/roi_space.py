"""The picture to which the coordinates of an ROI refer."""

from enum import StrEnum


class RoiSpace(StrEnum):
    """The upright picture, or the pixels as the file holds them, before they are turned."""

    UPRIGHT = "upright"
    STORED = "stored"
