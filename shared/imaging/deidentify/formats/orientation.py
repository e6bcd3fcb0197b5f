"""EXIF that says which way is up, and nothing else."""

from struct import pack

from shared.imaging.raster import ORIENTATION_TAG

SHORT = 3
"""TIFF field type of 16-bit numbers (TIFF 6.0, section 2)."""


def orientation_exif(orientation: int) -> bytes:
    """A TIFF header with one directory of one entry (EXIF 2.32, 4.5)."""
    entry = pack(">HHIHH", ORIENTATION_TAG, SHORT, 1, orientation, 0)
    return b"MM\x00*" + pack(">IH", 8, 1) + entry + pack(">I", 0)
