"""Builds EXIF data that contain only the orientation."""

from struct import pack

from shared.imaging.raster.orientation import ORIENTATION_TAG

SHORT = 3
"""TIFF field type of 16-bit numbers (TIFF 6.0, section 2)."""


def orientation_exif(orientation: int) -> bytes:
    """Return a TIFF header with one directory of one entry (EXIF 2.32, 4.5)."""
    header = b"MM\x00*"
    directory_start = pack(">IH", 8, 1)
    values = (ORIENTATION_TAG, SHORT, 1, orientation, 0)
    entry = pack(">HHIHH", *values)
    next_directory = pack(">I", 0)
    return header + directory_start + entry + next_directory
