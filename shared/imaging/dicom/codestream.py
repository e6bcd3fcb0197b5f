"""The size a compressed DICOM frame declares for itself, so that a small header cannot hide a large frame."""

from struct import unpack_from

JPEG_START = b"\xff\xd8"
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  "
NOT_FRAMES = {0xC4, 0xC8, 0xCC}
"""Markers in the range of the start-of-frame ones that are tables (ITU-T T.81, table B.1)."""
JPEG_LS_FRAME = 0xF7
BARE_MARKERS = {0x01, 0xFF, *range(0xD0, 0xD9)}


def declared_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a JPEG, JPEG-LS or JPEG 2000 frame; None for any other encoding.

    Raises
    ------
    ValueError, struct.error
        where the frame ends before its size.
    """
    if frame.startswith(JPEG_START):
        return _jpeg_size(frame)
    if frame.startswith(JP2_START):
        frame = frame[frame.index(J2K_START) :]
    if frame.startswith(J2K_START):
        return _j2k_size(frame)
    return None


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    at = len(JPEG_START)
    while True:
        marker = frame.index(b"\xff", at) + 1
        (kind,) = unpack_from(">B", frame, marker)
        if kind in BARE_MARKERS:
            at = marker if kind == 0xFF else marker + 1
            continue
        if kind == JPEG_LS_FRAME or (0xC0 <= kind <= 0xCF and kind not in NOT_FRAMES):
            height, width = unpack_from(">HH", frame, marker + 4)
            return width, height
        at = marker + 1 + max(unpack_from(">H", frame, marker + 1)[0], 2)


def _j2k_size(frame: bytes) -> tuple[int, int]:
    """Image area on the reference grid (ITU-T T.800, A.5.1)."""
    right, bottom, left, top = unpack_from(">IIII", frame, len(J2K_START) + 4)
    return right - left, bottom - top
