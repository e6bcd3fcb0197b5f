"""BMP has no metadata; what lies between palette and pixels, or behind them, is none of its pixels."""

from collections import Counter
from struct import unpack_from

from shared.imaging.deidentify.cleaned import CleanedFile

FILE_HEADER = 14
CORE_HEADER = 12
MASKS = 12
"""Three colour masks may follow an INFO header (BI_BITFIELDS)."""
UNCOMPRESSED = (0, 3)


def clean_bmp(data: bytes) -> CleanedFile:
    """The headers, the palette and the pixels.

    Raises
    ------
    struct.error
        where the headers are cut short.
    """
    offset, header = unpack_from("<II", data, 10)
    size = _pixel_bytes(data, header)
    kept = bytearray(data if size is None else data[: offset + size])
    named = FILE_HEADER + header + MASKS + 4 * 256
    gap = kept[named:offset] if named < offset else b""
    kept[6:10] = bytes(4)
    if gap:
        kept[named:offset] = bytes(len(gap))
    trailing = bool(data[len(kept) :].strip(b"\0"))
    return CleanedFile(
        bytes(kept),
        +Counter(trailing=int(trailing), between=int(bool(gap.strip(b"\0")))),
    )


def _pixel_bytes(data: bytes, header: int) -> int | None:
    """How many bytes pixels take; None where they are compressed and the file does not say."""
    if header == CORE_HEADER:
        core: tuple[int, int, int, int] = unpack_from("<HHHH", data, FILE_HEADER + 4)
        width, height, _, bits = core
        return _stride(width, bits) * height
    fields: tuple[int, int, int, int, int, int] = unpack_from(
        "<iiHHII", data, FILE_HEADER + 4
    )
    width, height, _, bits, compression, size = fields
    return (
        _stride(width, bits) * abs(height)
        if compression in UNCOMPRESSED
        else size or None
    )


def _stride(width: int, bits: int) -> int:
    """Rows are filled up to 32 bits."""
    return (width * bits + 31) // 32 * 4
