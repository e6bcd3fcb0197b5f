"""Writes interlaced PNG files, which Pillow reads but cannot write (PNG 3rd edition, 8.1)."""

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
"""First column, first row, column step and row step of the seven passes."""
BIT_DEPTH = 8
GREY = 0
DEFLATE = 0
ADAPTIVE_FILTERS = 0
ADAM7 = 1
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def interlaced_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of grey pixels (height, width).

    The seven passes go from coarse to fine. Each row has the filter `None`.
    """
    rows = b""
    for first_column, first_row, column_step, row_step in PASSES:
        for row in pixels[first_row::row_step, first_column::column_step]:
            rows += b"\0" + row.tobytes()
    height, width = pixels.shape
    format_bytes = bytes([BIT_DEPTH, GREY, DEFLATE, ADAPTIVE_FILTERS, ADAM7])
    header = pack(">II", width, height) + format_bytes
    return (
        SIGNATURE
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file, with its length and checksum."""
    return pack(">I", len(content)) + name + content + pack(">I", crc32(name + content))
