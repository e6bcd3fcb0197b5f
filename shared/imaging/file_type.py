"""Detects a file's format and its image size from its first bytes."""

from typing import BinaryIO

from shared.imaging.dicom import reader as dicom
from shared.imaging.dicom.preamble import (
    DICOM_PREFIX,
    DICOM_PREFIX_OFFSET,
    START_BYTES,
    count_leading_bytes,
)
from shared.imaging.errors import EmptyImage, UnsupportedImage
from shared.imaging.image import Header, ImageFormat
from shared.imaging.limits import Limits
from shared.imaging.raster import reader as raster

MAGIC = {
    b"\x89PNG\r\n\x1a\n": ImageFormat.PNG,
    b"\xff\xd8\xff": ImageFormat.JPEG,
    b"BM": ImageFormat.BMP,
    b"II*\x00": ImageFormat.TIFF,
    b"MM\x00*": ImageFormat.TIFF,
    b"II+\x00": ImageFormat.TIFF,
    b"MM\x00+": ImageFormat.TIFF,
}
RIFF = b"RIFF"
WEBP_MARK = slice(8, 12)
"""Position of `WEBP` in a RIFF container (RFC 9649, 2.4)."""
BRAND = slice(4, 12)
HEIC_BRANDS = {
    b"ftyp" + brand
    for brand in (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"msf1",
    )
}
"""Box type and major brand of HEIF with HEVC (ISO/IEC 23008-12, 10 and B.4)."""


def sniff(start: bytes) -> ImageFormat:
    """Detect the format by its magic bytes.

    The file's name and media type are not trusted.

    Parameters
    ----------
    start : the first `START_BYTES` of the file, or more

    Raises
    ------
    EmptyImage, UnsupportedImage
    """
    if not start:
        raise EmptyImage()
    if start[DICOM_PREFIX_OFFSET : DICOM_PREFIX_OFFSET + 4] == DICOM_PREFIX:
        return ImageFormat.DICOM
    for magic, image_format in MAGIC.items():
        if start.startswith(magic):
            return image_format
    if start.startswith(RIFF) and start[WEBP_MARK] == b"WEBP":
        return ImageFormat.WEBP
    if start[BRAND] in HEIC_BRANDS:
        return ImageFormat.HEIC
    if count_leading_bytes(start) is not None:
        return ImageFormat.DICOM
    raise UnsupportedImage(problem="The file is of a type that SERA does not read")


def inspect(stream: BinaryIO, limits: Limits | None = None) -> Header:
    """Read format and size of an image from its header only.

    The stream is at its start afterwards.

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageUnreadable
    ImageTooLarge, ImageTooSmall
        before any pixel is decoded.
    """
    limits = limits or Limits()
    stream.seek(0)
    image_format = sniff(stream.read(START_BYTES))
    stream.seek(0)
    if image_format is ImageFormat.DICOM:
        header = dicom.read_header(stream, limits)
    else:
        header = raster.read_header(stream, image_format, limits)
    stream.seek(0)
    limits.check(header.width, header.height)
    return header
