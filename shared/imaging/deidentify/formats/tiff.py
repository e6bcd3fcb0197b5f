"""TIFF with only the tags that pixels are made of; strips and tiles are copied as they are (TIFF 6.0, section 2)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from struct import calcsize, pack, unpack_from

from PIL import TiffTags

from shared.imaging.deidentify.cleaned import UNNAMED, CleanedFile
from shared.imaging.deidentify.formats.jpeg import clean_jpeg

WIDTHS = {
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
}
OFFSETS = {273: 279, 324: 325}
"""StripOffsets and TileOffsets, with the tag that holds their byte counts."""
COMPRESSION = 259
JPEG_IN_TIFF = 7
JPEG_TABLES = 347
KEPT = {
    *(
        256,
        257,
        258,
        COMPRESSION,
        262,
        266,
        273,
        274,
        277,
        278,
        279,
        284,
        292,
        293,
        317,
        320,
        322,
        323,
        324,
        325,
    ),
    *(338, 339, JPEG_TABLES, 529, 530, 531, 532),
}
"""Size, depth, compression, photometric, fill order, strips, orientation, planes, predictor, colour map, tiles, extra
samples, sample format, JPEG tables and the YCbCr coding."""
LONG = 4
MOST_PAGES = 1000
MOST_VALUES = 200_000
SLACK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Field:
    tag: int
    kind: int
    values: tuple[float, ...]


def clean_tiff(data: bytes) -> CleanedFile:
    """Every page, rewritten one behind the other.

    Raises
    ------
    ValueError, KeyError, struct.error
        where a directory points astray.
    """
    order = "<" if data.startswith(b"II") else ">"
    removed: Counter[str] = Counter()
    out = bytearray(data[:4] + bytes(4))
    link = 4
    for told in _pages(data, order, removed):
        link = _write(out, order, link, data, told, removed)
        if len(out) > len(data) + SLACK_BYTES:
            raise ValueError(
                "pages that share their pixels unfold to more than the file"
            )
    return CleanedFile(bytes(out), +removed)


def _pages(
    data: bytes, order: str, removed: Counter[str]
) -> Iterator[dict[int, _Field]]:
    """Of each page what is kept, by tag; a chain that runs into itself ends there."""
    seen: set[int] = set()
    (at,) = unpack_from(f"{order}I", data, 4)
    while at and at not in seen and len(seen) < MOST_PAGES:
        seen.add(at)
        (count,) = unpack_from(f"{order}H", data, at)
        found = (
            _field(data, order, at + 2 + 12 * index, removed) for index in range(count)
        )
        yield {field.tag: field for field in found if field}
        (at,) = unpack_from(f"{order}I", data, at + 2 + 12 * count)


def _field(data: bytes, order: str, at: int, removed: Counter[str]) -> _Field | None:
    tag, kind, count = unpack_from(f"{order}HHI", data, at)
    if tag not in KEPT or kind not in WIDTHS:
        removed[TiffTags.lookup(tag).name if tag in TiffTags.TAGS_V2 else UNNAMED] += 1
        return None
    if count > MOST_VALUES:
        raise ValueError("a directory entry holds more than an image needs")
    code = order + WIDTHS[kind] * count
    inside = calcsize(code) <= 4
    return _Field(
        tag,
        kind,
        unpack_from(
            code, data, at + 8 if inside else unpack_from(f"{order}I", data, at + 8)[0]
        ),
    )


def _write(
    out: bytearray,
    order: str,
    link: int,
    data: bytes,
    told: dict[int, _Field],
    removed: Counter[str],
) -> int:
    """Append a page and hang it into the chain at `link`; returns where the next one's address goes."""
    in_jpeg = (
        told[COMPRESSION].values[0] == JPEG_IN_TIFF if COMPRESSION in told else False
    )
    if in_jpeg and JPEG_TABLES in told:
        tables = clean_jpeg(
            bytes(int(value) for value in told[JPEG_TABLES].values)
        ).data
        told[JPEG_TABLES] = _Field(JPEG_TABLES, 7, tuple(tables))
    for offsets, counts in OFFSETS.items():
        if offsets in told and counts in told:
            if sum(told[counts].values) > len(data):
                raise ValueError("strips overlap")
            pairs = zip(told[offsets].values, told[counts].values, strict=True)
            parts = [
                _coded(data[int(at) : int(at) + int(size)], in_jpeg, removed)
                for at, size in pairs
            ]
            told[offsets] = _Field(
                offsets, LONG, tuple(_append(out, part) for part in parts)
            )
            told[counts] = _Field(counts, LONG, tuple(len(part) for part in parts))
    entries = b"".join(_entry(out, order, told[tag]) for tag in sorted(told))
    directory = pack(f"{order}H", len(told)) + entries + bytes(4)
    at = _append(out, directory)
    out[link : link + 4] = pack(f"{order}I", at)
    return at + len(directory) - 4


def _coded(part: bytes, in_jpeg: bool, removed: Counter[str]) -> bytes:
    if not in_jpeg:
        return part
    cleaned = clean_jpeg(part)
    removed += cleaned.removed
    return cleaned.data


def _entry(out: bytearray, order: str, field: _Field) -> bytes:
    code = WIDTHS[field.kind]
    content = pack(order + code * (len(field.values) // len(code)), *field.values)
    value = (
        content.ljust(4, b"\0")
        if len(content) <= 4
        else pack(f"{order}I", _append(out, content))
    )
    return (
        pack(f"{order}HHI", field.tag, field.kind, len(field.values) // len(code))
        + value
    )


def _append(out: bytearray, content: bytes) -> int:
    """Write at the next even address, as the standard asks, and return it."""
    out += bytes(len(out) % 2)
    at = len(out)
    out += content
    return at
