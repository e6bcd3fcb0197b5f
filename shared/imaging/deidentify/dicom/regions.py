"""Blanks the pixels outside the ultrasound regions of a DICOM image.

Patients' names are burnt in there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from shared.imaging.image import Box

FLOAT_TYPES = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}


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


def blank_stored(
    data: bytes,
    mask: NDArray[np.bool_],
    blacks: Sequence[int | float | list[int]],
    dataset: Dataset,
) -> bytes:
    """Make the masked pixels of every frame of uncompressed pixel data black.

    Any byte order and any order of the colour planes is accepted.

    Parameters
    ----------
    data : the pixels of all frames
    mask : (height, width), true for the pixels to blank
    blacks : for each frame the value of a black pixel, or the values of its samples
    dataset : the file of the pixels

    Raises
    ------
    ValueError
        if the data are shorter than the frames.
    """
    pixels = bytearray(data)
    samples = int(dataset.get("SamplesPerPixel") or np.size(blacks[0]))
    height, width = mask.shape
    frames = len(blacks)
    count = frames * height * width * samples
    values = np.frombuffer(pixels, _value_type(dataset), count)
    has_planes = samples > 1 and dataset.get("PlanarConfiguration") == 1
    shape = (samples, height, width) if has_planes else (height, width, samples)
    for frame, black in zip(values.reshape(frames, *shape), blacks, strict=True):
        by_pixel = frame.transpose(1, 2, 0) if has_planes else frame
        by_pixel[mask] = np.broadcast_to(black, samples)
    return bytes(pixels)


def _value_type(dataset: Dataset) -> np.dtype:
    is_little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
    order = "<" if is_little_endian else ">"
    for keyword, type_code in FLOAT_TYPES.items():
        if keyword in dataset:
            return np.dtype(f"{order}{type_code}")
    sign = "i" if dataset.get("PixelRepresentation") else "u"
    size = dataset.BitsAllocated // 8
    return np.dtype(f"{order}{sign}{size}")
