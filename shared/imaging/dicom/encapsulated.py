"""Finds the coded frames in encapsulated pixel data (PS3.5, A.4)."""

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame, parse_basic_offsets, parse_fragments

from shared.imaging.dicom.codestream import J2K_START, JPEG_START

EMPTY_TABLE = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
ITEM_BYTES = 8
"""Tag and length before a fragment."""
FILL_BYTE = b"\xff"


def drop_wrong_offsets(dataset: Dataset) -> None:
    """Empty a table of offsets that does not point at fragments, or not at one for each frame.

    Without the table, the fragments themselves say where frames begin.
    """
    data = dataset.PixelData
    stream = BytesIO(data)
    offsets = parse_basic_offsets(stream)
    if not offsets:
        return
    count, positions = parse_fragments(stream)
    starts = {position - positions[0] for position in positions}
    frames = int(dataset.get("NumberOfFrames") or 1)
    has_gaps = len(offsets) < frames == count
    if has_gaps or offsets[0] != 0 or not starts.issuperset(offsets):
        element = dataset["PixelData"]
        element.value = EMPTY_TABLE + data[positions[0] :]


def extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    """Return the tables of where frames of more than 4 GiB begin (PS3.3, C.7.6.3.1.8), if any."""
    offsets = dataset.get("ExtendedOffsetTable")
    lengths = dataset.get("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None


def coded_frame(dataset: Dataset, index: int, *, frames: int) -> bytes:
    """Return one coded frame without the fill bytes before it.

    Parameters
    ----------
    index : from 0
    frames : number of frames in the header

    Raises
    ------
    ValueError
        if there is no such frame.
    """
    frame = get_frame(
        dataset.PixelData,
        index,
        number_of_frames=max(frames, count_frames(dataset)),
        extended_offsets=extended_offsets(dataset),
    )
    return without_fill(frame)


def without_fill(frame: bytes) -> bytes:
    """Return a JPEG or JPEG 2000 frame without the bytes 00 or FF before it; others as they are."""
    start = frame.lstrip(b"\0")
    while start.startswith(2 * FILL_BYTE):
        start = start[1:]
    return start if start.startswith((JPEG_START, J2K_START)) else frame


def count_frames(dataset: Dataset) -> int:
    """Return the number of frames in encapsulated pixel data; 0 if it is not clear.

    A frame has an offset in the table of offsets. Without the table it is one fragment, unless
    fragments do not begin as frames.
    """
    stream = BytesIO(dataset.PixelData)
    offsets = parse_basic_offsets(stream)
    if offsets:
        return len(offsets)
    count, positions = parse_fragments(stream)
    starts = {
        dataset.PixelData[position + ITEM_BYTES : position + ITEM_BYTES + 2]
        for position in positions
    }
    return count if len(starts) == 1 else 0
