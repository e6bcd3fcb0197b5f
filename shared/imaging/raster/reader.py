"""Reads PNG, JPEG, BMP, TIFF, WebP and HEIC."""

import struct
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pi_heif import register_heif_opener
from PIL import Image

from shared.domain.results.findings import Finding
from shared.imaging.errors import ImageUnreadable, UnsupportedImage
from shared.imaging.image import Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits
from shared.imaging.raster.jpeg import check_jpeg
from shared.imaging.raster.orientation import (
    ORIENTATION_TAG,
    UPRIGHT,
    Orientation,
    orientation_of,
)
from shared.imaging.raster.png import is_wide_png, read_exif, read_wide_png
from shared.imaging.raster.samples import Samples
from shared.imaging.raster.tiff import read_plain_samples, read_tiff_header

register_heif_opener(thumbnails=False)

PILLOW_FORMATS: dict[str, str] = {ImageFormat.HEIC: "HEIF"}
"""Pillow's names of formats, where they differ."""
JPEG_HEADER_BYTES = 2**20
"""Metadata before the frame of a JPEG, which take up to 64 KiB a segment, rarely take more."""
TRANSPARENT_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
WIDE_MODES = {"I", "I;16", "I;16B", "I;16L", "F"}
EXIF_ERRORS = (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error)
"""What Pillow raises for an EXIF block that is no TIFF structure."""
COLOUR_MAP_TAG = 320
COLOUR_MAP_SHIFT = 256
"""A ColorMap has 16 bits (TIFF 6.0, page 23). Old writers stored 8, which Pillow then reads as 0."""
FIRST_PAGE = Finding("first-page", "The file holds several pages; the first was read.")


def read_header(stream: BinaryIO, image_format: ImageFormat, limits: Limits) -> Header:
    """Read the size of the upright image and its orientation, without decoding a pixel."""
    with translate_library_errors(image_format, limits):
        if image_format is ImageFormat.TIFF:
            page = read_tiff_header(stream)
            orientation = page.orientation
            width, height = orientation.size(page.width, page.height)
            has_more_pages = page.has_more_pages
        else:
            if image_format is ImageFormat.JPEG:
                check_jpeg(stream.read(JPEG_HEADER_BYTES))
                stream.seek(0)
            image = open_image(stream, image_format)
            orientation = _orientation(image, stream)
            width, height = orientation.size(*image.size)
            has_more_pages = _has_more_pages(image)
        return Header(
            format=image_format,
            width=width,
            height=height,
            frames=2 if has_more_pages else 1,
            orientation=orientation,
        )


def read_image(data: bytes, header: Header, limits: Limits) -> UltrasoundImage:
    """Decode to upright grey.

    Pillow keeps its strict setting, so that a truncated file is refused.
    """
    with translate_library_errors(header.format, limits):
        pixels, findings = read_samples(data, header.format).to_grey()
        pages = (FIRST_PAGE,) if header.frames > 1 else ()
        return UltrasoundImage(
            pixels=pixels, format=header.format, findings=pages + findings
        )


def read_samples(data: bytes, image_format: str) -> Samples:
    """Decode a file with the depth and the polarity that it declares.

    Parameters
    ----------
    data : the whole file
    image_format : an `ImageFormat`, or `gif`
    """
    if image_format == ImageFormat.TIFF:
        header = read_tiff_header(BytesIO(data))
        if header.pixel_end > len(data):
            raise ImageUnreadable(format="TIFF", problem="it is cut short")
        if header.has_plain_samples:
            return read_plain_samples(data, header)
        return _tiff_samples(data, header.orientation)
    stream = BytesIO(data)
    image = open_image(stream, image_format)
    orientation = _orientation(image, stream)
    if is_wide_png(data):
        return read_wide_png(data, orientation)
    return _byte_samples(image, orientation)


def open_image(stream: BinaryIO, image_format: str) -> Image.Image:
    """Read the header of an image that Pillow decodes."""
    name = PILLOW_FORMATS.get(image_format, image_format.upper())
    return Image.open(stream, formats=(name,))


def _has_more_pages(image: Image.Image) -> bool:
    """Return whether an animation has a second picture."""
    return image.format == "WEBP" and bool(getattr(image, "is_animated", False))


def _orientation(image: Image.Image, stream: BinaryIO) -> Orientation:
    """Return the EXIF orientation. The stream is where it was afterwards.

    libheif turns HEIC by the file's own transformations, which EXIF may only repeat.
    """
    if image.format == "HEIF":
        return UPRIGHT
    block = image.info.get("exif", b"")
    if image.format == "PNG" and not block:
        position = stream.tell()
        block = read_exif(stream)
        stream.seek(position)
    exif = Image.Exif()
    try:
        exif.load(block)
        number = exif.get(ORIENTATION_TAG)
    except EXIF_ERRORS:
        # A broken block says nothing about orientation, and the picture is whole without it.
        return UPRIGHT
    return orientation_of(number)


def _tiff_samples(data: bytes, orientation: Orientation) -> Samples:
    """Decode a TIFF through Pillow, which makes it upright itself.

    Pillow would also turn it by the orientation in XMP, which is no property of the pixels.
    """
    image = open_image(BytesIO(data), ImageFormat.TIFF)
    image.getexif()[ORIENTATION_TAG] = orientation.number
    if image.mode == "P":
        _repair_colour_map(image)
    return replace(_byte_samples(image, orientation), is_upright=True)


def _repair_colour_map(image: Image.Image) -> None:
    """Give a palette image whose ColorMap has 8 bits the colours that were meant."""
    colours = getattr(image, "tag_v2", {}).get(COLOUR_MAP_TAG, ())
    if colours and max(colours) < COLOUR_MAP_SHIFT:
        planes = np.array(colours, np.uint8).reshape(3, -1)
        image.putpalette(planes.T.tobytes())


def _byte_samples(image: Image.Image, orientation: Orientation) -> Samples:
    """Decode an image of up to 8 bits."""
    if image.mode in WIDE_MODES:
        raise UnsupportedImage(
            problem=f"{image.format} images of this depth are not read"
        )
    image.load()
    indices = None
    palette_peak = None
    if image.mode == "P":
        indices = np.asarray(image)
        palette_peak = max(image.getpalette() or [0])
    alpha = None
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    colour: NDArray[np.uint8]
    if image.mode in ("1", "L"):
        colour = np.asarray(image.convert("L"))
    else:
        colour = np.asarray(image.convert("RGB"))
    return Samples(
        colour=colour,
        alpha=alpha,
        indices=indices,
        palette_peak=palette_peak,
        orientation=orientation,
    )
