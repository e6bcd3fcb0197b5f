"""Blanks what lies outside the ultrasound regions of a DICOM image: names are burnt in there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from shared.imaging.image import Box

MID_CHROMA = 128


def mask_outside(boxes: Sequence[Box], width: int, height: int) -> NDArray[np.bool_] | None:
    """(height, width) True where no region is; None where regions cover everything, or there are none."""
    if not boxes:
        return None
    mask = np.ones((height, width), np.bool_)
    for box in boxes:
        mask[box.y : box.y + box.height, box.x : box.x + box.width] = False
    return mask if mask.any() else None


def blank_frame(frame: NDArray[np.number], mask: NDArray[np.bool_], dataset: Dataset) -> None:
    """Blacken one frame, (height, width) or (height, width, 3), in place."""
    frame[mask] = _black(dataset)


def blank_stored(data: bytes, mask: NDArray[np.bool_], dataset: Dataset) -> bytes:
    """Blacken every frame of uncompressed pixel data, whatever the byte order and order of planes.

    Raises
    ------
    ValueError
        where the data are shorter than the frames.
    """
    pixels = bytearray(data)
    samples, height, width = int(dataset.get("SamplesPerPixel", 1)), *mask.shape
    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    words = np.frombuffer(pixels, _word(dataset), frames * height * width * samples)
    by_plane = samples > 1 and dataset.get("PlanarConfiguration") == 1
    shape = (
        (frames, samples, height, width)
        if by_plane
        else (frames, height, width, samples)
    )
    black = np.broadcast_to(_black(dataset), samples)
    for frame in words.reshape(shape):
        (frame.transpose(1, 2, 0) if by_plane else frame)[mask] = black
    return bytes(pixels)


def _word(dataset: Dataset) -> np.dtype:
    sign = "i" if dataset.PixelRepresentation else "u"
    size = dataset.BitsAllocated // 8
    little = dataset.file_meta.TransferSyntaxUID.is_little_endian
    return np.dtype(f"{'<' if little else '>'}{sign}{size}")


def _black(dataset: Dataset) -> int | list[int]:
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        return (1 << (int(dataset.BitsStored) - int(dataset.PixelRepresentation))) - 1
    return (
        [0, MID_CHROMA, MID_CHROMA]
        if dataset.PhotometricInterpretation == "YBR_FULL"
        else 0
    )
