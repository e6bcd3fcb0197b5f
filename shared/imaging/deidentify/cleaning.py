"""Bytes as they came in to bytes that may be kept."""

from collections import Counter
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.deidentify.apart import clean_apart
from shared.imaging.deidentify.cleaned import Cleaned
from shared.imaging.deidentify.dicom.file import DecodingNeeded, clean_dicom
from shared.imaging.deidentify.formats.bmp import clean_bmp
from shared.imaging.deidentify.formats.jpeg import clean_jpeg
from shared.imaging.deidentify.formats.png import clean_png
from shared.imaging.deidentify.formats.tiff import clean_tiff
from shared.imaging.file_type import inspect
from shared.imaging.image import Header, ImageFormat
from shared.imaging.library_errors import reading
from shared.imaging.limits import Limits
from shared.imaging.raster import orientation_of
from shared.imaging.regions.mask import read_mask

GIF = b"GIF8"


def clean(data: bytes, key: bytes, limits: Limits | None = None) -> Cleaned:
    """Take everything of a patient out of a PNG, JPEG, BMP, TIFF or DICOM file; its picture decodes as before.

    Cleaning is deterministic: the same bytes and key give the same bytes. Frames that have to be decoded to be cleaned
    are decoded in a process of their own.

    Parameters
    ----------
    data : the whole file
    key : secret of the installation, by which UIDs are replaced
    limits : what the file may unfold to

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageTooLarge, ImageTooSmall, ImageUnreadable, ImageTruncated
    """
    limits = limits or Limits()
    header = inspect(BytesIO(data), limits)
    with reading(header.format, limits):
        try:
            return _clean(data, key, header, limits)
        except DecodingNeeded:
            return clean_apart(data, key, limits)


def clean_mask(
    data: bytes, width: int, height: int, key: bytes, limits: Limits | None = None
) -> Cleaned:
    """The same for the mask of an image of that size; a GIF becomes a PNG.

    Raises
    ------
    What `read_mask` raises.
    """
    mask = read_mask(data, width, height, limits)
    return (
        Cleaned(_png(mask), Counter(GIF=1))
        if data.startswith(GIF)
        else clean(data, key, limits)
    )


def _png(mask: NDArray[np.bool_]) -> bytes:
    stream = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, "PNG")
    return stream.getvalue()


def _clean(data: bytes, key: bytes, header: Header, limits: Limits) -> Cleaned:
    match header.format:
        case ImageFormat.DICOM:
            return clean_dicom(data, key, header, limits, may_decode=False)
        case ImageFormat.PNG:
            return clean_png(data, orientation_of(data, header.format))
        case ImageFormat.JPEG:
            return clean_jpeg(data, orientation_of(data, header.format))
        case ImageFormat.TIFF:
            return clean_tiff(data)
        case ImageFormat.BMP:
            return clean_bmp(data)
