"""A reader's outline kept as a raster: non-zero inside the nodule."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.imaging.errors import EmptyImage, MaskMismatch
from shared.imaging.library_errors import reading
from shared.imaging.limits import Limits
from shared.imaging.regions.roi import Roi

FORMATS = ("PNG", "GIF", "BMP", "TIFF")


def read_mask(
    data: bytes, width: int, height: int, limits: Limits | None = None
) -> NDArray[np.bool_]:
    """Decode the mask of an image of that size.

    Returns
    -------
    (height, width) bool, True inside the nodule; it may be empty.

    Raises
    ------
    EmptyImage, ImageTooLarge, ImageTooSmall, ImageUnreadable
    MaskMismatch
        if its size is not the image's.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyImage
    with reading("mask", limits):
        image = Image.open(BytesIO(data), formats=FORMATS)
        limits.check(*image.size)
        if image.size != (width, height):
            raise MaskMismatch(mask=_by(*image.size), image=_by(width, height))
        return np.asarray(image.convert("L")) > 0


def read_outline(data: bytes, width: int, height: int) -> Roi | None:
    """The ROI that a mask of such an image marks; an empty mask, as some public sets have, counts as none.

    Raises
    ------
    EmptyImage, ImageTooLarge, ImageTooSmall, ImageUnreadable, MaskMismatch, RoiInvalid, RoiTooSmall
    """
    mask = read_mask(data, width, height)
    return Roi.from_mask(mask) if mask.any() else None


def _by(width: int, height: int) -> str:
    return f"{width} x {height}"
