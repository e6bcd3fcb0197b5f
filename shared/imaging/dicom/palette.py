"""Segmented palettes of DICOM, unfolded within bounds."""

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


def apply_palette(indices: NDArray[np.number], dataset: Dataset) -> NDArray[np.uint8]:
    """Colours of palette indices, (height, width) -> (height, width, 3) uint8.

    Segmented tables are unfolded here and not by pydicom, whose reading of them has no bound.
    """
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        unfold_palette(dataset)
    rgb = apply_color_lut(indices, dataset)[..., :3]
    return (
        rgb.astype(np.uint8) if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    )


def unfold_palette(dataset: Dataset) -> None:
    """Put plain tables in the place of segmented ones."""
    entries, _, bits = dataset.RedPaletteColorLookupTableDescriptor
    if bits != 16:
        raise ValueError("segmented palettes are read in words of 16 bits only")
    word = np.dtype(np.uint16).newbyteorder(
        "<" if dataset.original_encoding[1] else ">"
    )
    for colour in COLOURS:
        name = f"{colour}PaletteColorLookupTableData"
        words = np.frombuffer(dataset[f"Segmented{name}"].value, word).tolist()
        setattr(
            dataset,
            name,
            np.asarray(unfold_segments(words, entries or 2**16), np.uint16).tobytes(),
        )
        del dataset[f"Segmented{name}"]


@dataclass(frozen=True)
class _Segment:
    kind: int
    length: int
    start: int
    end: int


def unfold_segments(words: list[int], entries: int) -> list[int]:
    """The lookup table of `entries` values that segments describe (PS3.3, C.7.9.2).

    Raises
    ------
    ValueError, IndexError
        where the segments give another number of values, or point astray.
    """
    table: list[int] = []
    for segment in _walk(words, 0, len(words)):
        if segment.kind == INDIRECT:
            low, high = words[segment.start : segment.start + 2]
            for copied in _walk(words, high << 16 | low, segment.start, segment.length):
                _append(table, words, copied, entries)
        else:
            _append(table, words, segment, entries)
        if len(table) == entries:
            return table
    raise ValueError("the palette's segments end early")


def _walk(
    words: list[int], at: int, end: int, count: int | None = None
) -> Iterator[_Segment]:
    """Segments from `at`; a trailing pad word is no segment."""
    while at + 1 < end and count != 0:
        kind, length = words[at : at + 2]
        if length == 0:
            raise ValueError("a palette segment holds nothing")
        size = {DISCRETE: length, LINEAR: 1, INDIRECT: 2}[kind]
        yield _Segment(kind, length, at + 2, at + 2 + size)
        at += 2 + size
        count = None if count is None else count - 1


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
        raise ValueError("a palette segment points to one that points on")
