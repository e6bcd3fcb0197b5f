"""Blanks the pixels outside the ultrasound regions of a DICOM image.

Patients' names are burnt in there.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from shared.imaging.image import Box

MID_CHROMA = 128


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


def blank_frame(
    frame: NDArray[np.number], mask: NDArray[np.bool_], dataset: Dataset
) -> None:
    """Make the masked pixels of a frame black, in place.

    The frame is (height, width) or (height, width, 3).
    """
    frame[mask] = _black(dataset)


def blank_stored(data: bytes, mask: NDArray[np.bool_], dataset: Dataset) -> bytes:
    """Make the masked pixels of every frame of uncompressed pixel data black.

    Any byte order and any order of the colour planes is accepted.

    Raises
    ------
    ValueError
        if the data are shorter than the frames.
    """
    pixels = bytearray(data)
    samples = int(dataset.get("SamplesPerPixel", 1))
    height, width = mask.shape
    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    count = frames * height * width * samples
    values = np.frombuffer(pixels, _value_type(dataset), count)
    black = np.broadcast_to(_black(dataset), samples)
    if samples > 1 and dataset.get("PlanarConfiguration") == 1:
        for planes in values.reshape(frames, samples, height, width):
            planes.transpose(1, 2, 0)[mask] = black
    else:
        for frame in values.reshape(frames, height, width, samples):
            frame[mask] = black
    return bytes(pixels)


def _value_type(dataset: Dataset) -> np.dtype:
    sign = "i" if dataset.PixelRepresentation else "u"
    size = dataset.BitsAllocated // 8
    is_little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
    order = "<" if is_little_endian else ">"
    return np.dtype(f"{order}{sign}{size}")


def _black(dataset: Dataset) -> int | list[int]:
    """Return the value of a black pixel, or the values of its samples."""
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        value_bits = int(dataset.BitsStored) - int(dataset.PixelRepresentation)
        return (1 << value_bits) - 1
    if dataset.PhotometricInterpretation == "YBR_FULL":
        return [0, MID_CHROMA, MID_CHROMA]
    return 0
