"""Applies DICOM palettes. Segmented palettes are expanded within bounds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from shared.domain.results.findings import Finding
from shared.imaging.dicom.dataset import attribute_error
from shared.imaging.grey import scale_to_byte, white_level

DISCRETE = 0
LINEAR = 1
INDIRECT = 2
"""Segment types (PS3.3, C.7.9.2)."""
COLOURS = ("Red", "Green", "Blue")
TABLES = tuple(f"{name}PaletteColorLookupTableData" for name in COLOURS)
DESCRIPTORS = tuple(f"{name}PaletteColorLookupTableDescriptor" for name in COLOURS)
MAX_ENTRIES = 2**16
BYTE_BITS = 8
WORD_BITS = 16


def apply_palette(
    indices: NDArray[np.number], dataset: Dataset
) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Return the colours of palette indices.

    Segmented tables are expanded here, because pydicom expands them without a bound. Entries of 16
    bits may hold fewer, as pixels may.

    Parameters
    ----------
    indices : (height, width)
    dataset : the file with the tables

    Returns
    -------
    rgb : (height, width, 3) uint8
    findings : a finding if the depth of the tables had to be guessed

    Raises
    ------
    ImageUnreadable
        if a table is missing.
    """
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        unfold_palette(dataset)
    palette = _plain_palette(dataset)
    rgb = apply_color_lut(indices, palette)[..., :3]
    if rgb.dtype == np.uint8:
        return rgb, ()
    words = [np.frombuffer(palette[keyword].value, np.uint16) for keyword in TABLES]
    entries = np.concatenate(words)
    bits = int(dataset[DESCRIPTORS[0]].value[2])
    if int(entries.max()) >= 2**bits:
        bits = WORD_BITS
    white, findings = white_level(entries, bits)
    return scale_to_byte(rgb, 0, white), findings


def _plain_palette(dataset: Dataset) -> Dataset:
    """Return descriptors and tables as pydicom reads them.

    It takes the words in the byte order of this machine, and a depth of 8 or 16 bits.
    """
    palette = Dataset()
    is_little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
    for descriptor_keyword, keyword in zip(DESCRIPTORS, TABLES, strict=True):
        for needed in (descriptor_keyword, keyword):
            if not dataset.get(needed):
                raise attribute_error(needed, "is missing, and the picture needs it")
        entries, first, bits = dataset[descriptor_keyword].value
        table = dataset[keyword].value
        if len(table) >= 2 * (entries or MAX_ENTRIES) and not is_little_endian:
            table = np.frombuffer(table, np.uint16).byteswap().tobytes()
        depth = bits if bits == BYTE_BITS else WORD_BITS
        setattr(palette, descriptor_keyword, [entries, first, depth])
        setattr(palette, keyword, table)
    return palette


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
