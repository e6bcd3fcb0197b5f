"""Chunks of PNG files, for tests of their readers."""

from struct import pack
from zlib import crc32


def png_chunk(name: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + name + content + pack(">I", crc32(name + content))
