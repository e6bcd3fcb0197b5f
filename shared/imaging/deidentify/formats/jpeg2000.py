"""De-identifies JPEG 2000 codestreams (ITU-T T.800, annex A).

Comments, boxes and bytes after the end are removed.
"""

from collections import Counter
from struct import unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.dicom.codestream import J2K_START

SOT = 0xFF90
SOD = 0xFF93
EOC = 0xFFD9
COM = 0xFF64


def clean_j2k(frame: bytes) -> CleanedFile:
    """Copy the codestream of a frame without its boxes.

    Its comments are overwritten with zeros, so that every offset in the codestream stays valid.

    Raises
    ------
    ValueError, struct.error
        if the codestream is not a chain of segments.
    """
    start = frame.index(J2K_START)
    data = bytearray(frame[start:])
    removed = Counter(boxes=int(start > 0))
    offset = _blank_comments(data, start=2, end=len(data), removed=removed)
    while unpack_from(">H", data, offset)[0] == SOT:
        (length,) = unpack_from(">I", data, offset + 6)
        if length:
            end = offset + length
        else:
            end = max(data.rfind(b"\xff\xd9"), offset)
        _blank_comments(data, start=offset + 12, end=end, removed=removed)
        offset = end
        if offset + 2 > len(data):
            return CleanedFile(data=bytes(data), removed=+removed)
    if unpack_from(">H", data, offset)[0] != EOC:
        raise ValueError("tile parts are followed by something else")
    has_trailing = bool(data[offset + 2 :].strip(b"\0"))
    removed["trailing"] += int(has_trailing)
    return CleanedFile(data=bytes(data[: offset + 2]), removed=+removed)


def _blank_comments(
    data: bytearray, start: int, end: int, removed: Counter[str]
) -> int:
    """Blank the comments up to the next tile part or its data, and return that offset."""
    offset = start
    while offset + 4 <= end:
        marker, length = unpack_from(">HH", data, offset)
        if marker in (SOT, SOD, EOC):
            return offset
        if marker < 0xFF00 or length < 2:
            raise ValueError("no marker where one should be")
        if marker == COM:
            data[offset + 6 : offset + 2 + length] = bytes(max(length - 4, 0))
            removed["COM"] += 1
        offset += 2 + length
    return offset
