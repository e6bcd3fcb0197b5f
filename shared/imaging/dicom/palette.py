"""Applies DICOM palettes. Segmented palettes are expanded within bounds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

DISCRETE = 0
LINEAR = 1
INDIRECT = 2
"""Segment types (PS3.3, C.7.9.2)."""
COLOURS = ("Red", "Green", "Blue")
MAX_BYTE = 255


def apply_palette(indices: NDArray[np.number], dataset: Dataset) -> NDArray[np.uint8]:
    """Return the colours of palette indices: (height, width) becomes (height, width, 3) uint8.

    Segmented tables are expanded here, because pydicom expands them without a bound.
    """
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        unfold_palette(dataset)
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        dataset = _little_endian_tables(dataset)
    rgb = apply_color_lut(indices, dataset)[..., :3]
    if rgb.dtype != np.uint8 and _greatest_entry(dataset) > MAX_BYTE:
        rgb = rgb >> 8
    return rgb.astype(np.uint8)


def _little_endian_tables(dataset: Dataset) -> Dataset:
    """Return the descriptors and tables alone, with the bytes of each word turned round.

    pydicom reads the words in the byte order of this machine.
    """
    turned = Dataset()
    for name in COLOURS:
        descriptor = f"{name}PaletteColorLookupTableDescriptor"
        keyword = f"{name}PaletteColorLookupTableData"
        turned[descriptor] = dataset[descriptor]
        words = np.frombuffer(dataset[keyword].value, np.uint16)
        setattr(turned, keyword, words.byteswap().tobytes())
    return turned


def _greatest_entry(dataset: Dataset) -> int:
    """Return the greatest value of the tables.

    Entries of 16 bits that are all below 256 hold 8 bits.
    """
    tables = (dataset.get(f"{name}PaletteColorLookupTableData") for name in COLOURS)
    words = (np.frombuffer(table, np.uint16) for table in tables if table)
    return max(int(table.max(initial=0)) for table in words)


def unfold_palette(dataset: Dataset) -> None:
    """Replace the segmented tables of a data set by plain tables."""
    entries, _, bits = dataset.RedPaletteColorLookupTableDescriptor
    if bits != 16:
        raise ValueError("segmented palettes are read in words of 16 bits only")
    is_little_endian = dataset.original_encoding[1]
    word_type = np.dtype(np.uint16).newbyteorder("<" if is_little_endian else ">")
    for colour in COLOURS:
        keyword = f"{colour}PaletteColorLookupTableData"
        segments = dataset[f"Segmented{keyword}"].value
        words = np.frombuffer(segments, word_type).tolist()
        table = unfold_segments(words, entries or 2**16)
        setattr(dataset, keyword, np.asarray(table, np.uint16).tobytes())
        del dataset[f"Segmented{keyword}"]


@dataclass(frozen=True)
class _Segment:
    """A segment; `start` and `end` are the indices of its content in the words."""

    kind: int
    length: int
    start: int
    end: int


def unfold_segments(words: list[int], entries: int) -> list[int]:
    """Expand segments to a lookup table of `entries` values (PS3.3, C.7.9.2).

    Raises
    ------
    ValueError, IndexError
        if the segments give another number of values, or refer to an invalid position.
    """
    table: list[int] = []
    for segment in _segments(words, 0, len(words)):
        if segment.kind == INDIRECT:
            low, high = words[segment.start : segment.start + 2]
            copied_segments = _segments(
                words,
                offset=high << 16 | low,
                end=segment.start,
                max_segments=segment.length,
            )
            for copied_segment in copied_segments:
                _append(table, words, copied_segment, entries)
        else:
            _append(table, words, segment, entries)
        if len(table) == entries:
            return table
    raise ValueError("the palette's segments end early")


def _segments(
    words: list[int], offset: int, end: int, max_segments: int | None = None
) -> Iterator[_Segment]:
    """Yield the segments from `offset` on. One trailing word is padding and no segment."""
    count = 0
    while offset + 1 < end and count != max_segments:
        kind, length = words[offset : offset + 2]
        if length == 0:
            raise ValueError("a palette segment holds nothing")
        size = {DISCRETE: length, LINEAR: 1, INDIRECT: 2}[kind]
        start = offset + 2
        yield _Segment(kind=kind, length=length, start=start, end=start + size)
        offset = start + size
        count += 1


def _append(
    table: list[int], words: list[int], segment: _Segment, entries: int
) -> None:
    if len(table) + segment.length > entries:
        raise ValueError("the palette's segments give more values than it declares")
    if segment.kind == DISCRETE:
        table.extend(words[segment.start : segment.end])
    elif segment.kind == LINEAR:
        steps = np.linspace(table[-1], words[segment.start], segment.length + 1)[1:]
        table.extend(np.rint(steps).astype(int).tolist())
    else:
        raise ValueError("a palette segment refers to another reference")
