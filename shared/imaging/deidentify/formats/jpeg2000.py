"""JPEG 2000 codestreams without comments, boxes or anything behind their end (ITU-T T.800, annex A)."""

from collections import Counter
from struct import unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.dicom.codestream import J2K_START

SOT = 0xFF90
SOD = 0xFF93
EOC = 0xFFD9
COM = 0xFF64


def clean_j2k(frame: bytes) -> CleanedFile:
    """The codestream alone, its comments overwritten with zeros so that every pointer in it stays true.

    Raises
    ------
    ValueError, struct.error
        where it is no chain of segments.
    """
    start = frame.index(J2K_START)
    data = bytearray(frame[start:])
    removed = Counter(boxes=int(start > 0))
    at = _blank_comments(data, 2, len(data), removed)
    while unpack_from(">H", data, at)[0] == SOT:
        (length,) = unpack_from(">I", data, at + 6)
        end = at + length if length else max(data.rfind(b"\xff\xd9"), at)
        _blank_comments(data, at + 12, end, removed)
        at = end
        if at + 2 > len(data):
            return CleanedFile(bytes(data), +removed)
    if unpack_from(">H", data, at)[0] != EOC:
        raise ValueError("tile parts are followed by something else")
    removed += Counter(trailing=int(bool(data[at + 2 :].strip(b"\0"))))
    return CleanedFile(bytes(data[: at + 2]), +removed)


def _blank_comments(data: bytearray, at: int, end: int, removed: Counter[str]) -> int:
    """Walk marker segments up to the next tile part or its data; returns where that is."""
    while at + 4 <= end:
        marker, length = unpack_from(">HH", data, at)
        if marker in (SOT, SOD, EOC):
            return at
        if marker < 0xFF00 or length < 2:
            raise ValueError("no marker where one should be")
        if marker == COM:
            data[at + 6 : at + 2 + length] = bytes(max(length - 4, 0))
            removed["COM"] += 1
        at += 2 + length
    return at
