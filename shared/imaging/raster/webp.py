"""Tells the two kinds of WebP apart (RFC 9649, section 2)."""

from struct import unpack_from

FIRST_CHUNK_OFFSET = 12
CHUNK_HEADER_BYTES = 8
LOSSLESS = b"VP8L"


def is_lossless_webp(data: bytes) -> bool:
    """Return whether the picture is compressed without loss. A cut file is not."""
    offset = FIRST_CHUNK_OFFSET
    while offset + CHUNK_HEADER_BYTES <= len(data):
        name, size = unpack_from("<4sI", data, offset)
        if name == LOSSLESS:
            return True
        offset += CHUNK_HEADER_BYTES + size + size % 2
    return False
