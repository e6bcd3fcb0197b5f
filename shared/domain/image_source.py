"""Where a case's image comes from."""

from enum import StrEnum


class ImageSource(StrEnum):
    FILE = "file"
    PHOTO = "photo"
    """A photo of a screen, rectified or not."""
