"""Reads an outline that is stored as an image of two values, the nodule and what is outside."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.errors import (
    EmptyImage,
    ImageUnreadable,
    MaskMismatch,
    MaskUnclear,
    UnsupportedImage,
)
from shared.imaging.file_type import sniff
from shared.imaging.image import ImageFormat
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits
from shared.imaging.raster.reader import open_image, read_header, read_samples
from shared.imaging.raster.samples import ALPHA_IGNORED, Samples
from shared.imaging.raster.tiff import JPEG_COMPRESSIONS, read_tiff_header
from shared.imaging.raster.webp import is_lossless_webp
from shared.imaging.regions.components import nodule_of
from shared.imaging.regions.roi import Roi

Grey = NDArray[np.floating[Any]]
Inside = NDArray[np.bool_]

GIF = "gif"
GIF_SIGNATURE = b"GIF8"
REFUSED = {ImageFormat.DICOM, ImageFormat.HEIC}
MIN_LOSSY_CONTRAST = 64
"""Grey levels between the two values of a mask; lossy compression alone makes fewer."""
MIDDLE = (0.25, 0.75)
"""Share of the way from the lower to the higher value where a pixel belongs to neither."""
MIDDLE_PX = 7
"""Smallest width of an area of middle values that is no soft edge."""
LOSSY_MIDDLE_PX = 9
"""The same with lossy compression: strong compression makes whole blocks of 8 pixels even."""
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
MAX_BITS_OF_FLOAT32 = 16
PLATEAU_PX = 5
"""Smallest width of an area of one further value. Ringing of resampling is narrower."""
STRAY_PIXELS = 8
"""A value of so few pixels is none of a mask: the smallest nodule has an outline of 28."""
MASK_EMPTY = Finding(
    "mask-empty",
    "The mask marks nothing, so it was read as if there were none. "
    "If it should mark a nodule, export it again.",
)


@dataclass(frozen=True, eq=False)
class NoduleMask:
    """A mask, as it was understood.

    Attributes
    ----------
    inside : (height, width) bool, True inside a nodule; it may be empty
    roi : the outline of the largest component; None if the mask is empty, as some masks of public
        data sets are
    other_rois : outlines of the other components that are large enough for a nodule
    findings : what the user of a result must know about the mask
    """

    inside: Inside
    roi: Roi | None
    findings: tuple[Finding, ...] = ()
    other_rois: tuple[Roi, ...] = ()


def read_mask(
    data: bytes, width: int, height: int, limits: Limits | None = None
) -> NoduleMask:
    """Decode the mask of an image that measures `width` x `height` pixels when it is upright.

    The mask has two values, which are split in the middle, or is opaque inside the nodule. Soft
    edges of resampling and compression are allowed.

    Raises
    ------
    EmptyImage, UnsupportedImage, ImageTooLarge, ImageTooSmall, ImageUnreadable
    MaskMismatch
        if its size differs from the image's size.
    MaskUnclear
        if it has more than two values or several pages, is probably inverted, or its largest part
        is a line with a gap or a caption.
    RoiTooSmall
    """
    limits = limits or Limits()
    if not data:
        raise EmptyImage
    image_format = _format(data)
    size, has_more_pages = _size_and_pages(data, image_format, limits)
    limits.check(*size)
    if has_more_pages:
        raise MaskUnclear(problem="its file holds several pages")
    if size != (width, height):
        raise MaskMismatch(mask=f"{size[0]} x {size[1]}", image=f"{width} x {height}")
    with translate_library_errors("mask", limits):
        samples = read_samples(data, image_format)
        inside, findings = _inside(samples, _is_lossy(data, image_format))
    if not inside.any():
        return NoduleMask(inside=inside, roi=None, findings=(*findings, MASK_EMPTY))
    nodule = nodule_of(inside)
    return NoduleMask(
        inside=inside,
        roi=nodule.roi,
        findings=(*findings, *nodule.findings),
        other_rois=nodule.other_rois,
    )


def _format(data: bytes) -> str:
    if data.startswith(GIF_SIGNATURE):
        return GIF
    try:
        image_format = sniff(data)
    except UnsupportedImage:
        raise ImageUnreadable(format="MASK", problem="it is no image") from None
    if image_format in REFUSED:
        raise UnsupportedImage(problem="A mask in a DICOM or HEIC file is not read")
    return image_format


def _size_and_pages(
    data: bytes, image_format: str, limits: Limits
) -> tuple[tuple[int, int], bool]:
    """Return width and height of the upright mask, and whether a second page follows."""
    with translate_library_errors("mask", limits):
        if image_format == GIF:
            image = open_image(BytesIO(data), GIF)
            return image.size, bool(getattr(image, "is_animated", False))
        header = read_header(BytesIO(data), ImageFormat(image_format), limits)
        return (header.width, header.height), header.frames > 1


def _is_lossy(data: bytes, image_format: str) -> bool:
    """Return whether the compression of a file changes values."""
    if image_format == ImageFormat.TIFF:
        return read_tiff_header(BytesIO(data)).compression in JPEG_COMPRESSIONS
    if image_format == ImageFormat.WEBP:
        return not is_lossless_webp(data)
    return image_format == ImageFormat.JPEG


def _inside(samples: Samples, is_lossy: bool) -> tuple[Inside, tuple[Finding, ...]]:
    """Return the upright pixels inside, by opacity and by brightness."""
    float_type = _float_type(samples)
    level = np.asarray(samples.turned(_level(samples)), float_type)
    if samples.alpha is None:
        return _split(level, is_lossy), ()
    opacity = np.asarray(samples.turned(samples.alpha), float_type)
    if not opacity.any():
        return _split(level, is_lossy), (ALPHA_IGNORED,)
    if not np.ptp(opacity):
        return _split(level, is_lossy), ()
    is_opaque = _split(opacity, is_lossy)
    if np.ptp(level[is_opaque]) < (MIN_LOSSY_CONTRAST if is_lossy else 1):
        return is_opaque, ()
    lowest = level[is_opaque].min()
    return _split(np.where(is_opaque, level, lowest), is_lossy), ()


def _level(samples: Samples) -> Grey:
    """Return one number a pixel that tells the colours of a mask apart, (height, width).

    It is the luma (ITU-R BT.601). A palette may have lost its colours, then it is the index.
    """
    float_type = _float_type(samples)
    if samples.indices is not None and not np.ptp(samples.colour):
        return samples.indices.astype(float_type)
    if samples.colour.ndim == 2:
        level = samples.colour.astype(float_type)
        return 2.0**samples.bits - 1 - level if samples.white_is_zero else level
    luma: Grey = np.zeros(samples.colour.shape[:2], float_type)
    for channel, weight in enumerate(LUMA_WEIGHTS):
        luma += samples.colour[..., channel].astype(float_type) * float_type(weight)
    return luma.round(3)


def _float_type(samples: Samples) -> type[np.floating[Any]]:
    """Return a type that holds every value. Large masks need half the memory in 32 bits."""
    return np.float32 if samples.bits <= MAX_BITS_OF_FLOAT32 else np.float64


def _split(level: Grey, is_lossy: bool) -> Inside:
    """Return the pixels above the middle of two values. One value alone is outside if it is 0.

    Raises MaskUnclear for more than two values.
    """
    lowest, highest = _range(level)
    contrast = highest - lowest
    if not contrast:
        return level > 0
    if is_lossy and contrast < MIN_LOSSY_CONTRAST:
        raise MaskUnclear(
            problem="its two values are too close to survive the compression of its file"
        )
    share: Grey = np.clip((level - lowest) / contrast, 0, 1)
    low, high = MIDDLE
    middle_px = LOSSY_MIDDLE_PX if is_lossy else MIDDLE_PX
    has_middle = _has_area((share > low) & (share < high), middle_px)
    if has_middle or (not is_lossy and _has_plateau(share)):
        raise MaskUnclear(problem="it has more than two values")
    return share > 0.5


def _range(level: Grey) -> tuple[float, float]:
    """Return the lowest and the highest value, without those of stray pixels."""
    ordered = np.partition(level.ravel(), (STRAY_PIXELS, -1 - STRAY_PIXELS))
    return float(ordered[STRAY_PIXELS]), float(ordered[-1 - STRAY_PIXELS])


def _has_plateau(share: Grey) -> bool:
    """Return whether a value between the lowest and the highest covers an area of its own.

    All values are looked at in one pass, however many a hostile mask has: around a pixel of such
    an area the smallest and the largest value are equal.
    """
    kernel = np.ones((PLATEAU_PX, PLATEAU_PX), np.uint8)
    is_flat = cv2.erode(share, kernel) == cv2.dilate(share, kernel)
    return bool(np.any(is_flat & (share > 0) & (share < 1)))


def _has_area(pixels: Inside, width_px: int) -> bool:
    """Return whether a square of `width_px` fits into the pixels."""
    kernel = np.ones((width_px, width_px), np.uint8)
    return bool(cv2.erode(pixels.astype(np.uint8), kernel).any())
