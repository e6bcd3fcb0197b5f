"""Blanks the pixels outside the ultrasound regions of a DICOM image.

Patients' names are burnt in there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.imaging.dicom.pixel_format import PixelFormat
from shared.imaging.image import Box


def mask_outside(
    boxes: Sequence[Box], width: int, height: int
) -> NDArray[np.bool_] | None:
    """Return the pixels outside all regions, (height, width) bool.

    None if the regions cover the whole image, or if there are no regions.
    """
    if not boxes:
        return None
    mask = np.ones((height, width), np.bool_)
    for box in boxes:
        mask[box.y : box.y + box.height, box.x : box.x + box.width] = False
    return mask if mask.any() else None


def mask_boxes(
    mask: NDArray[np.bool_] | None, boxes: Sequence[Box], width: int, height: int
) -> NDArray[np.bool_] | None:
    """Return a mask that contains these boxes, too; None if it is empty."""
    if not boxes:
        return mask
    extended = np.zeros((height, width), np.bool_) if mask is None else mask.copy()
    for box in boxes:
        extended[box.y : box.y + box.height, box.x : box.x + box.width] = True
    return extended


def blank_stored(
    data: bytes,
    mask: NDArray[np.bool_],
    blacks: Sequence[int | float | list[int]],
    pixel_format: PixelFormat,
    is_little_endian: bool,
) -> bytes:
    """Make the masked pixels of every frame of uncompressed pixel data black.

    Parameters
    ----------
    data : the pixels of all frames
    mask : (height, width), true for the pixels to blank
    blacks : for each frame the value of a black pixel, or the values of its samples
    pixel_format : what the pixels are; any order of the colour planes is accepted
    is_little_endian : the byte order

    Raises
    ------
    ValueError
        if the data are shorter than the frames.
    """
    pixels = bytearray(data)
    samples = pixel_format.samples
    height, width = mask.shape
    frames = len(blacks)
    count = frames * height * width * samples
    value_type = _value_type(pixel_format, is_little_endian)
    values = np.frombuffer(pixels, value_type, count)
    has_planes = samples > 1 and bool(pixel_format.has_planes)
    shape = (samples, height, width) if has_planes else (height, width, samples)
    for frame, black in zip(values.reshape(frames, *shape), blacks, strict=True):
        by_pixel = frame.transpose(1, 2, 0) if has_planes else frame
        by_pixel[mask] = np.broadcast_to(black, samples)
    return bytes(pixels)


def _value_type(pixel_format: PixelFormat, is_little_endian: bool) -> np.dtype:
    order = "<" if is_little_endian else ">"
    kind = "i" if pixel_format.is_signed else "u"
    if pixel_format.keyword != "PixelData":
        kind = "f"
    return np.dtype(f"{order}{kind}{pixel_format.bits_allocated // 8}")
