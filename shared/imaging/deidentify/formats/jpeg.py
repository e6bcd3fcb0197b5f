"""De-identifies JPEG and JPEG-LS: removes APPn and COM segments (ITU-T T.81, B.1; T.87, C.1).

The coded data stay the same bit by bit.
"""

import re
from collections import Counter
from struct import pack, unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.formats.orientation import orientation_exif

SOI = 0xD8
EOI = 0xD9
SOS = 0xDA
COM = 0xFE
FILL_BYTE = 0xFF
MARKERS_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8), SOI}
APP0 = 0xE0
APP1 = 0xE1
APP14 = 0xEE
APP15 = 0xEF
CODING_MARKERS = {*range(0xC0, 0xD0), SOS, *range(0xDB, 0xE0), 0xF7, 0xF8}
"""Tables, frames and scans. 0xF7 and 0xF8 are the frame and the presets of JPEG-LS."""
JFIF = b"JFIF\0"
ADOBE = b"Adobe"
JFIF_BYTES = 12
ADOBE_BYTES = 12
"""The numbers in the two segments that say how colours are coded; without the JFIF thumbnail."""


SCAN_END = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""A marker that is not stuffing and not a restart.

A byte below 0x80 after 0xFF is stuffing (0x00 in JPEG).
"""
MAX_SEGMENTS = 10_000


def clean_jpeg(data: bytes, orientation: int = 1) -> CleanedFile:
    """Remove text from a file or frame. The result begins and ends with its first and last marker.

    Parameters
    ----------
    data : the file or the frame
    orientation : EXIF orientation; it is the only EXIF value in the result

    Raises
    ------
    ValueError, struct.error
        if `data` is not a chain of segments.
    """
    parts = [b"\xff\xd8"]
    removed: Counter[str] = Counter()
    if orientation != 1:
        exif = b"Exif\0\0" + orientation_exif(orientation)
        parts.append(_segment(APP1, exif))
    offset = 2
    while offset < len(data):
        offset, marker = _next_marker(data, offset, removed)
        if marker == EOI:
            parts.append(b"\xff\xd9")
            has_trailing = bool(data[offset:].strip(b"\0"))
            removed["trailing"] += int(has_trailing)
            break
        if len(parts) + removed.total() > MAX_SEGMENTS:
            raise ValueError("more segments than an image has")
        if marker in MARKERS_WITHOUT_LENGTH:
            removed["between"] += 1
            continue
        (size,) = unpack_from(">H", data, offset)
        content = data[offset + 2 : offset + size]
        parts.append(_clean_segment(marker, content, removed))
        offset += size
        if marker == SOS:
            scan_end = _scan_end(data, offset)
            parts.append(data[offset:scan_end])
            offset = scan_end
    return CleanedFile(data=b"".join(parts), removed=+removed)


def _next_marker(data: bytes, offset: int, removed: Counter[str]) -> tuple[int, int]:
    """Return the start of the next segment's content and its marker, at or after `offset`.

    Bytes that belong to no segment are skipped.
    """
    position = data.index(b"\xff", offset)
    removed["between"] += int(position > offset)
    while data[position] == FILL_BYTE:
        position += 1
        if position >= len(data):
            raise ValueError("the file ends in a marker")
    return position + 1, data[position]


def _clean_segment(marker: int, content: bytes, removed: Counter[str]) -> bytes:
    """Return the segment without text; empty if the segment is removed."""
    if marker in CODING_MARKERS:
        return _segment(marker, content)
    if marker == APP0 and content.startswith(JFIF) and len(content) >= JFIF_BYTES:
        removed["thumbnail"] += int(len(content) > JFIF_BYTES + 2)
        return _segment(marker, content[:JFIF_BYTES] + b"\0\0")
    if marker == APP14 and content.startswith(ADOBE) and len(content) >= ADOBE_BYTES:
        return _segment(marker, content[:ADOBE_BYTES])
    removed[_marker_name(marker)] += 1
    return b""


def _marker_name(marker: int) -> str:
    if marker == COM:
        return "COM"
    if APP0 <= marker <= APP15:
        return f"APP{marker - APP0}"
    return f"0x{marker:02X}"


def _segment(marker: int, content: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _scan_end(data: bytes, offset: int) -> int:
    """Return the end of the coded data of a scan."""
    match = SCAN_END.search(data, offset)
    return match.start() if match else len(data)
