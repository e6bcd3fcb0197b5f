"""De-identifies a file: turns the bytes that were sent into bytes that may be stored."""

from collections import Counter
from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.dicom.file import DecodingNeeded, clean_dicom
from shared.imaging.deidentify.formats.bmp import clean_bmp
from shared.imaging.deidentify.formats.jpeg import clean_jpeg
from shared.imaging.deidentify.formats.png import clean_png
from shared.imaging.deidentify.formats.recoded import RECODED_FORMATS, recode_as_png
from shared.imaging.deidentify.formats.tiff import clean_tiff
from shared.imaging.file_type import inspect
from shared.imaging.image import Header, ImageFormat
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits
from shared.imaging.raster.orientation import UPRIGHT
from shared.imaging.raster.png import SIGNATURE
from shared.imaging.regions.mask import read_mask

DecodingClean = Callable[[bytes, bytes, Limits], CleanedFile]


def clean(
    data: bytes,
    key: bytes,
    limits: Limits | None = None,
    decoding_clean: DecodingClean | None = None,
) -> CleanedFile:
    """Remove everything about a patient from a PNG, JPEG, BMP, TIFF, WebP, HEIC or DICOM file.

    The image decodes as before. WebP and HEIC become PNG. The same bytes and key give the same result.

    Parameters
    ----------
    data : the whole file
    key : secret of the installation; replaces UIDs
    limits : maximum dimensions of the decoded file
    decoding_clean : de-identifies a file whose pixels must be decoded, as
        `shared.imaging.sandbox` does in another process; without it they are decoded in
        this process

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageTooLarge, ImageTooSmall, ImageUnreadable, ImageTruncated
    """
    limits = limits or Limits()
    header = inspect(BytesIO(data), limits)
    with translate_library_errors(header.format, limits):
        if header.format in RECODED_FORMATS:
            if decoding_clean is None:
                return recode_as_png(data, header)
            return decoding_clean(data, key, limits)
        if header.format is not ImageFormat.DICOM:
            return _clean_raster(data, header)
        if decoding_clean is None:
            return clean_dicom(data, key, header, limits, may_decode=True)
        try:
            return clean_dicom(data, key, header, limits, may_decode=False)
        except DecodingNeeded:
            return decoding_clean(data, key, limits)


def clean_mask(
    data: bytes, width: int, height: int, limits: Limits | None = None
) -> CleanedFile:
    """Return the mask of an image of that size as a PNG of two values, 0 and 255.

    A file that is such a PNG, and nothing else, stays as it is.

    Raises
    ------
    The errors of `read_mask`.
    """
    mask = read_mask(data, width, height, limits)
    picture = mask.inside.astype(np.uint8) * 255
    if _is_plain_png(data, picture):
        return CleanedFile(data=data, findings=mask.findings)
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return CleanedFile(
        data=stream.getvalue(), removed=Counter(recoded=1), findings=mask.findings
    )


def _is_plain_png(data: bytes, picture: NDArray[np.uint8]) -> bool:
    """Return whether a file is a PNG of exactly this grey, without anything else in it."""
    if not data.startswith(SIGNATURE) or clean_png(data, UPRIGHT.number).removed:
        return False
    image = Image.open(BytesIO(data), formats=("PNG",))
    is_grey = image.mode == "L"
    return is_grey and np.array_equal(np.asarray(image), picture)


def _clean_raster(data: bytes, header: Header) -> CleanedFile:
    match header.format:
        case ImageFormat.PNG:
            return clean_png(data, header.orientation.number)
        case ImageFormat.JPEG:
            return clean_jpeg(data, header.orientation.number)
        case ImageFormat.TIFF:
            return clean_tiff(data)
        case _:
            return clean_bmp(data)
