"""Reads PNG, JPEG, BMP and TIFF through Pillow."""

from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.domain.results.findings import Finding
from shared.imaging.errors import UnsupportedImage
from shared.imaging.grey import scale_to_byte, to_grey
from shared.imaging.image import Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits

ORIENTATION_TAG = 0x0112
TRANSPOSE_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that makes an image upright, by EXIF orientation (EXIF 2.32, tag 0x0112)."""
SIDEWAYS_ORIENTATIONS = {5, 6, 7, 8}
WIDE_GREY_MODES = {"I", "I;16", "I;16B", "I;16L"}
TRANSPARENT_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
FIRST_PAGE = Finding("first-page", "The file holds several pages; the first was read.")


def read_header(stream: BinaryIO, image_format: ImageFormat, limits: Limits) -> Header:
    """Read the size of the upright image, without decoding a pixel."""
    with translate_library_errors(image_format, limits):
        image = _open(stream, image_format)
        width, height = _upright_size(image)
        frames = 2 if _has_more_pages(image) else 1
        return Header(format=image_format, width=width, height=height, frames=frames)


def read_image(
    data: bytes, image_format: ImageFormat, limits: Limits
) -> UltrasoundImage:
    """Decode to upright grey.

    Pillow keeps its strict setting, so that a truncated file is refused.
    """
    with translate_library_errors(image_format, limits):
        image = _open(BytesIO(data), image_format)
        findings = (FIRST_PAGE,) if _has_more_pages(image) else ()
        orientation = _orientation(image)
        if orientation != 1:
            image = image.transpose(TRANSPOSE_BY_ORIENTATION[orientation])
        pixels, colour_findings = _to_grey_pixels(image)
        return UltrasoundImage(
            pixels=pixels, format=image_format, findings=findings + colour_findings
        )


def read_orientation(data: bytes, image_format: ImageFormat) -> int:
    """Read the EXIF orientation of the picture, 1 to 8."""
    return _orientation(_open(BytesIO(data), image_format))


def _open(stream: BinaryIO, image_format: ImageFormat) -> Image.Image:
    return Image.open(stream, formats=(image_format.upper(),))


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height in pixels."""
    width, height = image.size
    if _orientation(image) in SIDEWAYS_ORIENTATIONS:
        return height, width
    return width, height


def _has_more_pages(image: Image.Image) -> bool:
    """Return whether a TIFF has a second page.

    The pages are not counted, because counting would follow the whole chain of pages. A query for
    the second page does not.
    """
    return image.format == "TIFF" and bool(getattr(image, "is_animated", False))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, read from the bytes before the pixels.

    It is 1 for TIFF, because Pillow itself makes TIFF images upright.
    """
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    exif = Image.Exif()
    exif.load(image.info["exif"])
    orientation = exif.get(ORIENTATION_TAG, 1)
    return orientation if orientation in TRANSPOSE_BY_ORIENTATION else 1


def _to_grey_pixels(
    image: Image.Image,
) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    if image.mode in WIDE_GREY_MODES:
        return _wide_to_byte(np.asarray(image)), ()
    if image.mode == "F":
        raise UnsupportedImage(problem="Images of floating-point values are not read")
    if image.mode in ("1", "L"):
        return np.array(image.convert("L")), ()
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image = _on_black(image)
    return to_grey(np.asarray(image.convert("RGB")))


def _on_black(image: Image.Image) -> Image.Image:
    """Replace transparency by black, which is the background of ultrasound images."""
    image = image.convert("RGBA")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image)


def _wide_to_byte(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale wide grey to 8 bits by the smallest bit depth that holds the maximum.

    Scanners write 10 or 12 bits into 16.
    """
    if values.min() < 0:
        raise UnsupportedImage(problem="Images of negative values are not read")
    depth = max(int(values.max()).bit_length(), 8)
    return scale_to_byte(values, 0, 2**depth - 1)
