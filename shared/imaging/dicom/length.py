"""Compares the amount of pixel data in a DICOM file with what its header asks for.

Too many bytes show that an attribute is wrong: read in silence they give a sheared picture.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from shared.imaging.dicom.pixel_format import PixelFormat
from shared.imaging.errors import ImageTruncated, ImageUnreadable
from shared.imaging.image import Header

MAX_PADDING_BYTES = 32
"""Bytes after the frames that are padding or a comment, and no sign of a wrong attribute."""
SUBSAMPLED = "YBR_FULL_422"
MERGED_FRAMES = (2, 3)
"""Frames too many that may be one frame of 2 bytes a sample, or of 3 samples a pixel."""
CLEARLY = 0.9
"""Ratio of the differences between rows below which a row is longer than declared."""


def expected_bytes(pixel_format: PixelFormat, header: Header) -> int:
    """Return the length of the uncompressed pixels that the header asks for."""
    count = header.width * header.height * header.frames * pixel_format.samples
    if pixel_format.interpretation == SUBSAMPLED:
        count = count // 3 * 2
    return -(-count * pixel_format.bits_allocated // 8)


def settle_length(
    dataset: Dataset, pixel_format: PixelFormat, header: Header
) -> tuple[PixelFormat, list[str]]:
    """Check that uncompressed pixel data are as long as their frames, or whole frames longer.

    Returns
    -------
    pixel_format : of full chroma where the data have 3 samples a pixel and the label 2
    names : the attributes that the length contradicts

    Raises
    ------
    ImageTruncated
        if the data are shorter.
    ImageUnreadable
        if the surplus is neither padding nor whole frames.
    """
    pixels = dataset[pixel_format.keyword].value
    held_bytes = len(pixels)
    needed_bytes = expected_bytes(pixel_format, header)
    surplus = held_bytes - needed_bytes
    if surplus < 0:
        raise ImageTruncated(format="DICOM", held=held_bytes, needed=needed_bytes)
    if surplus <= 1:
        return pixel_format, []
    if pixel_format.interpretation == SUBSAMPLED:
        full = replace(pixel_format, interpretation="YBR_FULL")
        if 0 <= held_bytes - expected_bytes(full, header) <= MAX_PADDING_BYTES:
            return full, ["Photometric Interpretation"]
    if _has_longer_rows(pixels, needed_bytes, header):
        raise surplus_error(held_bytes, needed_bytes)
    row_bytes = max(needed_bytes // (header.height * header.frames), 1)
    is_uniform = surplus % row_bytes == 0 and len(set(pixels[needed_bytes:])) == 1
    if surplus <= MAX_PADDING_BYTES or is_uniform:
        return pixel_format, []
    frame_bytes = max(needed_bytes // header.frames, 1)
    if held_bytes % frame_bytes > 1:
        raise surplus_error(held_bytes, needed_bytes)
    return pixel_format, ["Number of Frames"]


def surplus_error(held_bytes: int, needed_bytes: int) -> ImageUnreadable:
    """Build the error of pixel data that are longer than the header says."""
    return ImageUnreadable(
        format="DICOM",
        problem=f"its Pixel Data holds {held_bytes} bytes, and Rows x Columns x Samples per Pixel "
        f"x Bits Allocated x Number of Frames need {needed_bytes}; check Rows, Columns, "
        "Samples per Pixel, Bits Allocated and Number of Frames",
    )


def unpacked_bytes(segment: bytes) -> int:
    """Return the length of a run-length coded segment when it is unpacked (PS3.5, G.3.1)."""
    count = 0
    offset = 0
    while offset < len(segment):
        control = segment[offset]
        if control < 128:
            count += min(control + 1, len(segment) - offset - 1)
            offset += control + 2
        elif control > 128:
            count += 257 - control if offset + 1 < len(segment) else 0
            offset += 2
        else:
            offset += 1
    return count


def _has_longer_rows(pixels: bytes, needed_bytes: int, header: Header) -> bool:
    """Return whether the data fill rows that are longer than declared, and fit them better.

    Of data that are two or three times as long, every second byte of a row may be the high byte of
    a sample of 16 bits, and every third one colour.
    """
    rows = header.height * header.frames
    row_bytes = needed_bytes // rows
    longer_bytes = len(pixels) // rows
    if rows < 2 or row_bytes == 0 or longer_bytes == row_bytes:
        return False
    ratio = longer_bytes // row_bytes
    if longer_bytes % row_bytes == 0 and ratio not in MERGED_FRAMES:
        return False
    levels = np.frombuffer(pixels, np.uint8)
    declared = levels[:needed_bytes].reshape(rows, row_bytes)
    longer = levels[: rows * longer_bytes].reshape(rows, longer_bytes)
    differences = [_row_difference(longer[:, start::ratio]) for start in range(ratio)]
    return min(differences) < CLEARLY * _row_difference(declared)


def _row_difference(rows: NDArray[np.uint8]) -> float:
    return float(np.abs(np.diff(rows.astype(np.int16), axis=0)).mean())
