from collections.abc import Callable
from io import BytesIO
from struct import pack
from zlib import compress

import numpy as np
import pytest
import tifffile

from tests.support.png_chunks import png_chunk


@pytest.fixture
def tiff() -> Callable[..., bytes]:
    """Encodes an array as TIFF by tifffile."""

    def encode_tiff(samples: np.ndarray, **options: object) -> bytes:
        stream = BytesIO()
        tifffile.imwrite(stream, samples, metadata=None, **options)
        return stream.getvalue()

    return encode_tiff


@pytest.fixture
def wide_png() -> Callable[..., bytes]:
    """Encodes (height, width[, channels]) samples as PNG of 16 bits, by the standard's layout."""

    def encode_png(samples: np.ndarray, chunks: bytes = b"") -> bytes:
        height, width = samples.shape[:2]
        channels = samples.shape[2] if samples.ndim == 3 else 1
        colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        rows = samples.astype(">u2").reshape(height, -1)
        scanlines = b"".join(b"\0" + row.tobytes() for row in rows)
        header = pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", header)
            + chunks
            + png_chunk(b"IDAT", compress(scanlines))
            + png_chunk(b"IEND", b"")
        )

    return encode_png


@pytest.fixture
def significant_bits() -> Callable[[int], bytes]:
    """The chunk sBIT of a grey PNG."""
    return lambda bits: png_chunk(b"sBIT", bytes([bits]))


@pytest.fixture
def packed_tiff() -> Callable[..., bytes]:
    """Encodes grey samples of any depth as uncompressed TIFF, by TIFF 6.0 alone."""
    return encode_packed_tiff


def encode_packed_tiff(
    samples: np.ndarray,
    *,
    bits: int,
    photometric: int,
    order: str,
    fill_order: int = 1,
    tags: dict[int, tuple[str, int]] | None = None,
) -> bytes:
    height, width = samples.shape
    strip = b"".join(pack_row(row, bits, order) for row in samples)
    if fill_order == 2:
        strip = bytes(int(f"{byte:08b}"[::-1], 2) for byte in strip)
    fields = {
        256: ("H", width),
        257: ("H", height),
        258: ("H", bits),
        259: ("H", 1),
        262: ("H", photometric),
        266: ("H", fill_order),
        273: ("I", 8),
        277: ("H", 1),
        278: ("H", height),
        279: ("I", len(strip)),
        **(tags or {}),
    }
    entries = b"".join(
        directory_entry(tag, *fields[tag], order) for tag in sorted(fields)
    )
    magic = b"II*\0" if order == "<" else b"MM\0*"
    strip += bytes(len(strip) % 2)
    directory = pack(f"{order}H", len(fields)) + entries + bytes(4)
    return magic + pack(f"{order}I", 8 + len(strip)) + strip + directory


def directory_entry(tag: int, value_format: str, value: int, order: str) -> bytes:
    field_type = {"H": 3, "I": 4}[value_format]
    content = pack(order + value_format, value).ljust(4, b"\0")
    return pack(f"{order}HHI", tag, field_type, 1) + content


def pack_row(row: np.ndarray, bits: int, order: str) -> bytes:
    """A row of samples: whole words in the byte order of the file, others from the highest bit."""
    if bits in (16, 32):
        return row.astype(f"{order}u{bits // 8}").tobytes()
    text = "".join(f"{int(value):0{bits}b}" for value in row)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")
