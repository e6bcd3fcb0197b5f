"""What a file is and how large it will be, from its first bytes only."""

from typing import BinaryIO

from shared.imaging import raster
from shared.imaging.dicom import reader
from shared.imaging.errors import EmptyImage, UnsupportedImage
from shared.imaging.image import Header, ImageFormat
from shared.imaging.limits import Limits

DICOM_PREFIX_AT = 128
"""A DICOM file opens with 128 free bytes and then `DICM` (PS3.10, 7.1)."""
MAGIC = {
    b"\x89PNG\r\n\x1a\n": ImageFormat.PNG,
    b"\xff\xd8\xff": ImageFormat.JPEG,
    b"BM": ImageFormat.BMP,
    b"II*\x00": ImageFormat.TIFF,
    b"MM\x00*": ImageFormat.TIFF,
}


def sniff(start: bytes) -> ImageFormat:
    """The format by its magic bytes; a file's name and stated type are not believed.

    Parameters
    ----------
    start : the first 132 bytes of the file, or more

    Raises
    ------
    EmptyImage, UnsupportedImage
    """
    if not start:
        raise EmptyImage()
    if start[DICOM_PREFIX_AT : DICOM_PREFIX_AT + 4] == b"DICM":
        return ImageFormat.DICOM
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    raise UnsupportedImage(problem="The file is of a type that SERA does not read")


def inspect(stream: BinaryIO, limits: Limits | None = None) -> Header:
    """Format and size of an image, read from its header only; leaves the stream at its start.

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageUnreadable
    ImageTooLarge, ImageTooSmall
        before any pixel is decoded.
    """
    limits = limits or Limits()
    stream.seek(0)
    kind = sniff(stream.read(DICOM_PREFIX_AT + 4))
    stream.seek(0)
    read_header = (
        reader.read_header if kind is ImageFormat.DICOM else raster.read_header
    )
    header = read_header(stream, kind, limits)
    stream.seek(0)
    limits.check(header.width, header.height)
    return header
