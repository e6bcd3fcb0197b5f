"""De-identifies TIFF: keeps only the tags for the pixels (TIFF 6.0, section 2).

Strips and tiles are copied unchanged.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from struct import calcsize, pack, unpack_from

from PIL import TiffTags

from shared.imaging.deidentify.cleaned import UNNAMED, CleanedFile
from shared.imaging.deidentify.formats.jpeg import clean_jpeg

FORMAT_BY_TYPE = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    5: "II",
    10: "ii",
    11: "f",
    12: "d",
    7: "B",
    16: "Q",
}
"""`struct` format of a value by the TIFF field type."""
COUNTS_BY_OFFSETS = {273: 279, 324: 325}
"""StripOffsets and TileOffsets, each with the tag of their byte counts."""
COMPRESSION = 259
JPEG_IN_TIFF = 7
JPEG_TABLES = 347
PIXEL_TAGS = {
    256,  # ImageWidth
    257,  # ImageLength
    258,  # BitsPerSample
    COMPRESSION,
    262,  # PhotometricInterpretation
    266,  # FillOrder
    273,  # StripOffsets
    274,  # Orientation
    277,  # SamplesPerPixel
    278,  # RowsPerStrip
    279,  # StripByteCounts
    281,  # MaxSampleValue
    284,  # PlanarConfiguration
    292,  # T4Options
    293,  # T6Options
    317,  # Predictor
    320,  # ColorMap
    322,  # TileWidth
    323,  # TileLength
    324,  # TileOffsets
    325,  # TileByteCounts
    338,  # ExtraSamples
    339,  # SampleFormat
    JPEG_TABLES,
    529,  # YCbCrCoefficients
    530,  # YCbCrSubSampling
    531,  # YCbCrPositioning
    532,  # ReferenceBlackWhite
}
UNDEFINED = 7
LONG = 4
LONG8 = 16
VERSION = 42
BIG_VERSION = 43
HEADER_LINK_OFFSET = 4
INLINE_BYTES = 4
"""Largest value that is stored in a directory entry itself."""
MAX_PAGES = 1000
MAX_VALUES = 200_000
SLACK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Layout:
    """The `struct` formats of the parts of a file, with the byte order.

    Attributes
    ----------
    link : position of the offset of the first directory
    offset : format of an offset in the file, which is also the room for a value in an entry
    count : format of the number of entries
    entry : format of tag, type and number of values
    """

    link: int
    offset: str
    count: str
    entry: str


def _layout(data: bytes, order: str) -> _Layout:
    """The layout of TIFF, or of BigTIFF, which has offsets of 8 bytes."""
    (version,) = unpack_from(f"{order}H", data, 2)
    if version == BIG_VERSION:
        return _Layout(
            link=2 * HEADER_LINK_OFFSET,
            offset=f"{order}Q",
            count=f"{order}Q",
            entry=f"{order}HHQ",
        )
    return _Layout(
        link=HEADER_LINK_OFFSET,
        offset=f"{order}I",
        count=f"{order}H",
        entry=f"{order}HHI",
    )


@dataclass(frozen=True)
class _Field:
    tag: int
    type: int
    values: tuple[float, ...]


Page = dict[int, _Field]
"""The fields of a page by tag."""


@dataclass(frozen=True)
class _Output:
    """The file under construction."""

    content: bytearray
    order: str
    """Byte order of `struct`: `<` or `>`."""

    def append(self, part: bytes) -> int:
        """Write at the next even offset, as the standard requires, and return the offset."""
        self.content.extend(bytes(len(self.content) % 2))
        offset = len(self.content)
        self.content.extend(part)
        return offset

    def append_directory(self, page: Page) -> int:
        """Write a directory without a successor, and return its offset."""
        entries = [self._entry(page[tag]) for tag in sorted(page)]
        count = pack(f"{self.order}H", len(page))
        return self.append(count + b"".join(entries) + bytes(4))

    def write_offset(self, position: int, offset: int) -> None:
        self.content[position : position + 4] = pack(f"{self.order}I", offset)

    def _entry(self, field: _Field) -> bytes:
        value_format = FORMAT_BY_TYPE[field.type]
        count = len(field.values) // len(value_format)
        content = pack(self.order + value_format * count, *field.values)
        if len(content) <= INLINE_BYTES:
            value = content.ljust(INLINE_BYTES, b"\0")
        else:
            value = pack(f"{self.order}I", self.append(content))
        return pack(f"{self.order}HHI", field.tag, field.type, count) + value


def clean_tiff(data: bytes) -> CleanedFile:
    """Copy every page with its pixel tags, one page after the other. BigTIFF becomes TIFF.

    Raises
    ------
    ValueError, KeyError, struct.error
        if a directory refers to an invalid position.
    """
    order = "<" if data.startswith(b"II") else ">"
    removed: Counter[str] = Counter()
    header = data[:2] + pack(f"{order}H", VERSION) + bytes(4)
    output = _Output(content=bytearray(header), order=order)
    link = HEADER_LINK_OFFSET
    for page in _pages(data, order, removed):
        link = _write_page(output, data=data, page=page, link=link, removed=removed)
        if len(output.content) > len(data) + SLACK_BYTES:
            raise ValueError(
                "pages that share their pixels unfold to more than the file"
            )
    return CleanedFile(data=bytes(output.content), removed=+removed)


def _pages(data: bytes, order: str, removed: Counter[str]) -> Iterator[Page]:
    """Yield the pixel tags of each page. A chain of pages that returns to a page ends there."""
    layout = _layout(data, order)
    visited: set[int] = set()
    (offset,) = unpack_from(layout.offset, data, layout.link)
    while offset and offset not in visited and len(visited) < MAX_PAGES:
        visited.add(offset)
        (count,) = unpack_from(layout.count, data, offset)
        offset += calcsize(layout.count)
        page: Page = {}
        for _ in range(count):
            field = _read_field(data, layout, offset=offset, removed=removed)
            if field:
                page[field.tag] = field
            offset += calcsize(layout.entry) + calcsize(layout.offset)
        yield page
        (offset,) = unpack_from(layout.offset, data, offset)


def _read_field(
    data: bytes, layout: _Layout, offset: int, removed: Counter[str]
) -> _Field | None:
    """Read the field of a directory entry.

    The result is None if the field is not for the pixels.
    """
    tag, field_type, count = unpack_from(layout.entry, data, offset)
    if tag not in PIXEL_TAGS or field_type not in FORMAT_BY_TYPE:
        is_known = tag in TiffTags.TAGS_V2
        removed[TiffTags.lookup(tag).name if is_known else UNNAMED] += 1
        return None
    if count > MAX_VALUES:
        raise ValueError("a directory entry holds more than an image needs")
    value_format = layout.entry[0] + FORMAT_BY_TYPE[field_type] * count
    value_offset = offset + calcsize(layout.entry)
    if calcsize(value_format) > calcsize(layout.offset):
        (value_offset,) = unpack_from(layout.offset, data, value_offset)
    values = unpack_from(value_format, data, value_offset)
    kept_type = LONG if field_type == LONG8 else field_type
    return _Field(tag=tag, type=kept_type, values=values)


def _write_page(
    output: _Output, *, data: bytes, page: Page, link: int, removed: Counter[str]
) -> int:
    """Append a page and write its offset at `link`.

    Returns
    -------
    the position of the link to the next page
    """
    is_jpeg = False
    if COMPRESSION in page:
        is_jpeg = page[COMPRESSION].values[0] == JPEG_IN_TIFF
    if is_jpeg and JPEG_TABLES in page:
        tables = bytes(int(value) for value in page[JPEG_TABLES].values)
        cleaned_tables = tuple(clean_jpeg(tables).data)
        page[JPEG_TABLES] = _Field(
            tag=JPEG_TABLES, type=UNDEFINED, values=cleaned_tables
        )
    for offsets_tag, counts_tag in COUNTS_BY_OFFSETS.items():
        if offsets_tag not in page or counts_tag not in page:
            continue
        if sum(page[counts_tag].values) > len(data):
            raise ValueError("strips overlap")
        pairs = zip(page[offsets_tag].values, page[counts_tag].values, strict=True)
        parts: list[bytes] = []
        for offset, size in pairs:
            part = data[int(offset) : int(offset) + int(size)]
            parts.append(_clean_jpeg_part(part, removed) if is_jpeg else part)
        offsets = tuple(output.append(part) for part in parts)
        sizes = tuple(len(part) for part in parts)
        page[offsets_tag] = _Field(tag=offsets_tag, type=LONG, values=offsets)
        page[counts_tag] = _Field(tag=counts_tag, type=LONG, values=sizes)
    directory_offset = output.append_directory(page)
    output.write_offset(link, directory_offset)
    return len(output.content) - 4


def _clean_jpeg_part(part: bytes, removed: Counter[str]) -> bytes:
    cleaned = clean_jpeg(part)
    removed += cleaned.removed
    return cleaned.data
