"""Interlaced PNG, which Pillow reads and does not write (PNG 3rd edition, 8.1)."""

from struct import pack
from zlib import compress, crc32

import numpy as np
from numpy.typing import NDArray

PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""First column, first row, step across, step down of the seven passes."""


def interlaced_png(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width) grey, seven times coarser to finer, each row with the filter `None`."""
    rows = b"".join(
        b"\0" + row.tobytes()
        for x, y, across, down in PASSES
        for row in pixels[y::down, x::across]
    )
    height, width = pixels.shape
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """One of a PNG file, with its length and check sum."""
    return pack(">I", len(content)) + name + content + pack(">I", crc32(name + content))
