"""JPEG and JPEG-LS without APPn and COM segments; the coded data stay bit by bit (ITU-T T.81, B.1; T.87, C.1)."""

import re
from collections import Counter
from struct import pack, unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.formats.orientation import orientation_exif

SOI = 0xD8
EOI = 0xD9
SOS = 0xDA
COM = 0xFE
BARE = {0x01, *range(0xD0, 0xD8), SOI}
APP0 = 0xE0
APP1 = 0xE1
APP14 = 0xEE
CODING = {*range(0xC0, 0xD0), SOS, *range(0xDB, 0xE0), 0xF7, 0xF8}
"""Tables, frames and scans; 0xF7 and 0xF8 are the frame and the presets of JPEG-LS."""
JFIF = b"JFIF\0"
ADOBE = b"Adobe"
JFIF_BYTES = 12
ADOBE_BYTES = 12
"""Of the two segments that say how colours are coded only the numbers: of JFIF without its thumbnail."""


SCAN_ENDS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""A marker that is neither stuffing nor a restart; after 0xFF a byte below 0x80 is stuffing (0x00 in JPEG)."""
MOST_SEGMENTS = 10_000


def clean_jpeg(data: bytes, orientation: int = 1) -> CleanedFile:
    """A file or frame from its first marker to its last, without words; `orientation` (EXIF) stays, alone.

    Raises
    ------
    ValueError, struct.error
        where it is no chain of segments.
    """
    kept = [b"\xff\xd8"]
    removed: Counter[str] = Counter()
    if orientation != 1:
        kept.append(_segment(APP1, b"Exif\0\0" + orientation_exif(orientation)))
    at = 2
    while at < len(data):
        at, marker = _next_marker(data, at, removed)
        if marker == EOI:
            kept.append(b"\xff\xd9")
            removed += Counter(trailing=int(_matters(data[at:])))
            break
        if len(kept) + removed.total() > MOST_SEGMENTS:
            raise ValueError("more segments than an image has")
        if marker in BARE:
            removed["between"] += 1
            continue
        (size,) = unpack_from(">H", data, at)
        kept.append(_kept(marker, data[at + 2 : at + size], removed))
        at += size
        if marker == SOS:
            end = _scan_end(data, at)
            kept.append(data[at:end])
            at = end
    return CleanedFile(b"".join(kept), +removed)


def _next_marker(data: bytes, at: int, removed: Counter[str]) -> tuple[int, int]:
    """The marker at or after `at`, and where its segment begins; bytes that belong to no segment are passed over."""
    found = data.index(b"\xff", at)
    removed += Counter(between=int(found > at))
    while data[found] == 0xFF:
        found += 1
        if found >= len(data):
            raise ValueError("the file ends in a marker")
    return found + 1, data[found]


def _kept(marker: int, content: bytes, removed: Counter[str]) -> bytes:
    if marker in CODING:
        return _segment(marker, content)
    if marker == APP0 and content.startswith(JFIF) and len(content) >= JFIF_BYTES:
        removed += Counter(thumbnail=int(len(content) > JFIF_BYTES + 2))
        return _segment(marker, content[:JFIF_BYTES] + b"\0\0")
    if marker == APP14 and content.startswith(ADOBE) and len(content) >= ADOBE_BYTES:
        return _segment(marker, content[:ADOBE_BYTES])
    removed[_name(marker)] += 1
    return b""


def _name(marker: int) -> str:
    return (
        "COM"
        if marker == COM
        else f"APP{marker - APP0}"
        if APP0 <= marker <= 0xEF
        else f"0x{marker:02X}"
    )


def _segment(marker: int, content: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _scan_end(data: bytes, at: int) -> int:
    """Where a scan's coded data end."""
    found = SCAN_ENDS.search(data, at)
    return found.start() if found else len(data)


def _matters(trailing: bytes) -> bool:
    return bool(trailing.strip(b"\0"))
