"""Detects a file's format and its image size from its first bytes."""

from typing import BinaryIO

from shared.imaging import raster
from shared.imaging.dicom import reader
from shared.imaging.dicom.dataset import (
    DICOM_PREFIX,
    DICOM_PREFIX_OFFSET,
    starts_data_set,
)
from shared.imaging.errors import EmptyImage, UnsupportedImage
from shared.imaging.image import Header, ImageFormat
from shared.imaging.limits import Limits

MAGIC = {
    b"\x89PNG\r\n\x1a\n": ImageFormat.PNG,
    b"\xff\xd8\xff": ImageFormat.JPEG,
    b"BM": ImageFormat.BMP,
    b"II*\x00": ImageFormat.TIFF,
    b"MM\x00*": ImageFormat.TIFF,
}


def sniff(start: bytes) -> ImageFormat:
    """Detect the format by its magic bytes.

    The file's name and media type are not trusted.

    Parameters
    ----------
    start : the first 132 bytes of the file, or more

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
    if starts_data_set(start):
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
    image_format = sniff(stream.read(DICOM_PREFIX_OFFSET + 4))
    stream.seek(0)
    if image_format is ImageFormat.DICOM:
        header = reader.read_header(stream, limits)
    else:
        header = raster.read_header(stream, image_format, limits)
    stream.seek(0)
    limits.check(header.width, header.height)
    return header
