"""PNG, JPEG, BMP and TIFF through Pillow."""

from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.domain.results.findings import Finding
from shared.imaging.errors import UnsupportedImage
from shared.imaging.grey import scale_to_byte, to_grey
from shared.imaging.image import Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import reading
from shared.imaging.limits import Limits

ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets an image upright, by its EXIF orientation (EXIF 2.32, tag 0x0112)."""
SIDEWAYS = {5, 6, 7, 8}
WIDE_GREY = {"I", "I;16", "I;16B", "I;16L"}
FIRST_PAGE = Finding("first-page", "The file holds several pages; the first was read.")


def read_header(stream: BinaryIO, kind: ImageFormat, limits: Limits) -> Header:
    """Size of the upright image, without decoding a pixel."""
    with reading(kind, limits):
        image = _open(stream, kind)
        width, height = image.size
        if _orientation(image) in SIDEWAYS:
            width, height = height, width
        return Header(kind, width, height, frames=2 if _has_more_pages(image) else 1)


def read_image(data: bytes, kind: ImageFormat, limits: Limits) -> UltrasoundImage:
    """Decode to upright grey; a truncated file is refused, since Pillow is left at its strict setting."""
    with reading(kind, limits):
        image = _open(BytesIO(data), kind)
        findings = (FIRST_PAGE,) if _has_more_pages(image) else ()
        orientation = _orientation(image)
        if orientation != 1:
            image = image.transpose(UPRIGHT[orientation])
        pixels, colour = _grey(image)
        return UltrasoundImage(pixels, kind, findings=findings + colour)


def orientation_of(data: bytes, kind: ImageFormat) -> int:
    """How the picture is turned before it is shown: 1 to 8, of EXIF."""
    return _orientation(_open(BytesIO(data), kind))


def _open(stream: BinaryIO, kind: ImageFormat) -> Image.Image:
    return Image.open(stream, formats=(kind.upper(),))


def _has_more_pages(image: Image.Image) -> bool:
    """Only TIFF counts here: counting its pages would walk the whole chain, asking for a second one does not."""
    return image.format == "TIFF" and bool(getattr(image, "is_animated", False))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation from what stands before the pixels; Pillow turns TIFF upright by itself."""
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    exif = Image.Exif()
    exif.load(image.info["exif"])
    stated = exif.get(ORIENTATION_TAG, 1)
    return stated if stated in UPRIGHT else 1


def _grey(image: Image.Image) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    if image.mode in WIDE_GREY:
        return _narrow(np.asarray(image)), ()
    if image.mode == "F":
        raise UnsupportedImage(problem="Images of floating-point values are not read")
    if image.mode in ("1", "L"):
        return np.array(image.convert("L")), ()
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = _over_black(image)
    return to_grey(np.asarray(image.convert("RGB")))


def _over_black(image: Image.Image) -> Image.Image:
    """Ultrasound stands on black, so what is transparent becomes black."""
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)


def _narrow(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Wide grey to 8 bits by the least bit depth that holds the maximum: scanners write 10 or 12 bits into 16."""
    if values.min() < 0:
        raise UnsupportedImage(problem="Images of negative values are not read")
    depth = max(int(values.max()).bit_length(), 8)
    return scale_to_byte(values, 0, 2**depth - 1)
