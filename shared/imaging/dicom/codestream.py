"""The size that a compressed DICOM frame declares in its own header.

It is checked, so that a small DICOM header cannot hide a large frame.
"""

from struct import unpack_from

JPEG_START = b"\xff\xd8"
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  "
TABLE_MARKERS = {0xC4, 0xC8, 0xCC}
"""Tables whose markers are in the range of start-of-frame markers (ITU-T T.81, table B.1)."""
JPEG_LS_FRAME = 0xF7
FILL_BYTE = 0xFF
MARKERS_WITHOUT_LENGTH = {0x01, FILL_BYTE, *range(0xD0, 0xD9)}


def declared_size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a compressed frame.

    The encoding may be JPEG, JPEG-LS or JPEG 2000. The result is None for other encodings.

    Raises
    ------
    ValueError, struct.error
        if the frame ends before its size.
    """
    if frame.startswith(JPEG_START):
        return _jpeg_size(frame)
    if frame.startswith(JP2_START):
        frame = frame[frame.index(J2K_START) :]
    if frame.startswith(J2K_START):
        return _j2k_size(frame)
    return None


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    offset = len(JPEG_START)
    while True:
        marker_offset = frame.index(b"\xff", offset) + 1
        (marker,) = unpack_from(">B", frame, marker_offset)
        if marker in MARKERS_WITHOUT_LENGTH:
            offset = marker_offset if marker == FILL_BYTE else marker_offset + 1
            continue
        if _starts_frame(marker):
            height, width = unpack_from(">HH", frame, marker_offset + 4)
            return width, height
        (length,) = unpack_from(">H", frame, marker_offset + 1)
        offset = marker_offset + 1 + max(length, 2)


def _starts_frame(marker: int) -> bool:
    is_start_of_frame = 0xC0 <= marker <= 0xCF and marker not in TABLE_MARKERS
    return is_start_of_frame or marker == JPEG_LS_FRAME


def _j2k_size(frame: bytes) -> tuple[int, int]:
    """Return the image area on the reference grid (ITU-T T.800, A.5.1)."""
    right, bottom, left, top = unpack_from(">IIII", frame, len(J2K_START) + 4)
    return right - left, bottom - top
