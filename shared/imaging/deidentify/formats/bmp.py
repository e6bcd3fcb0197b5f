"""De-identifies BMP files.

BMP has no metadata. Bytes between palette and pixels, or after the pixels, belong to no pixel.
"""

from collections import Counter
from struct import unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile

FILE_HEADER_BYTES = 14
CORE_HEADER_BYTES = 12
COLOUR_MASK_BYTES = 12
"""Three colour masks may follow an INFO header (BI_BITFIELDS)."""
PALETTE_BYTES = 4 * 256
RESERVED_BYTES = slice(6, 10)
UNCOMPRESSED = (0, 3)


def clean_bmp(data: bytes) -> CleanedFile:
    """Copy the headers, the palette and the pixels of a BMP file.

    Raises
    ------
    struct.error
        if the headers are cut short.
    """
    pixel_offset, header_bytes = unpack_from("<II", data, 10)
    pixel_bytes = _pixel_bytes(data, header_bytes)
    end = len(data) if pixel_bytes is None else pixel_offset + pixel_bytes
    cleaned = bytearray(data[:end])
    header_end = FILE_HEADER_BYTES + header_bytes + COLOUR_MASK_BYTES + PALETTE_BYTES
    gap = cleaned[header_end:pixel_offset] if header_end < pixel_offset else b""
    cleaned[RESERVED_BYTES] = bytes(4)
    if gap:
        cleaned[header_end:pixel_offset] = bytes(len(gap))
    has_trailing = bool(data[len(cleaned) :].strip(b"\0"))
    has_gap_content = bool(gap.strip(b"\0"))
    removed = Counter(trailing=int(has_trailing), between=int(has_gap_content))
    return CleanedFile(data=bytes(cleaned), removed=+removed)


def _pixel_bytes(data: bytes, header_bytes: int) -> int | None:
    """Return the number of bytes of the pixels.

    It is None if the pixels are compressed and the header does not state their size.
    """
    if header_bytes == CORE_HEADER_BYTES:
        core: tuple[int, int, int, int] = unpack_from(
            "<HHHH", data, FILE_HEADER_BYTES + 4
        )
        width, height, _, bits = core
        return _row_bytes(width, bits) * height
    fields: tuple[int, int, int, int, int, int] = unpack_from(
        "<iiHHII", data, FILE_HEADER_BYTES + 4
    )
    width, height, _, bits, compression, size = fields
    if compression in UNCOMPRESSED:
        return _row_bytes(width, bits) * abs(height)
    return size or None


def _row_bytes(width: int, bits: int) -> int:
    """Return the bytes of a row. Rows are padded to 32 bits."""
    return (width * bits + 31) // 32 * 4
