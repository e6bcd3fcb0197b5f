"""Reads an outline that is stored as an image. Its pixels are non-zero inside the nodule."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.errors import EmptyImage, MaskMismatch
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits
from shared.imaging.regions.roi import Roi

FORMATS = ("PNG", "GIF", "BMP", "TIFF")


def read_mask(
    data: bytes, width: int, height: int, limits: Limits | None = None
) -> NDArray[np.bool_]:
    """Decode the mask of an image of `width` x `height` pixels.

    Returns
    -------
    (height, width) bool, True inside the nodule; it may be empty.

    Raises
    ------
    EmptyImage, ImageTooLarge, ImageTooSmall, ImageUnreadable
    MaskMismatch
        if its size differs from the image's size.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyImage
    with translate_library_errors("mask", limits):
        image = Image.open(BytesIO(data), formats=FORMATS)
        mask_width, mask_height = image.size
        limits.check(mask_width, mask_height)
        if image.size != (width, height):
            raise MaskMismatch(
                mask=f"{mask_width} x {mask_height}", image=f"{width} x {height}"
            )
        return np.asarray(image.convert("L")) > 0


def read_mask_roi(data: bytes, width: int, height: int) -> Roi | None:
    """Read the ROI of the mask of an image of `width` x `height` pixels.

    The result is None if the mask is empty.

    Some public data sets have empty masks.

    Raises
    ------
    EmptyImage, ImageTooLarge, ImageTooSmall, ImageUnreadable, MaskMismatch, RoiInvalid, RoiTooSmall
    """
    mask = read_mask(data, width, height)
    return Roi.from_mask(mask) if mask.any() else None
