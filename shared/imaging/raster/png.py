"""Reads PNG of 16 bits (PNG 3rd edition, 11.2.1 and 11.3.1.3).

Pillow drops the low bits of all but plain grey. Therefore libpng reads them through imagecodecs.
"""

from collections.abc import Iterator
from os import SEEK_CUR
from struct import unpack, unpack_from
from typing import BinaryIO

import imagecodecs
import numpy as np

from shared.imaging.raster.orientation import Orientation
from shared.imaging.raster.samples import Samples

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTH_OFFSET = 24
WIDE_BITS = 16
CHUNK_HEADER_BYTES = 8
CHECKSUM_BYTES = 4


def is_wide_png(data: bytes) -> bool:
    """Return whether a PNG declares 16 bits."""
    return data.startswith(SIGNATURE) and data[
        DEPTH_OFFSET : DEPTH_OFFSET + 1
    ] == bytes([WIDE_BITS])


def read_wide_png(data: bytes, orientation: Orientation) -> Samples:
    """Decode a PNG of 16 bits with its whole depth."""
    values = np.asarray(imagecodecs.png_decode(data), np.uint16)
    if values.ndim == 2:
        values = values[..., None]
    channels = values.shape[-1]
    has_alpha = channels in (2, 4)
    colour = values[..., 0] if channels <= 2 else values[..., :3]
    stated_bits = _significant_bits(data, int(colour.max()))
    return Samples(
        colour=colour,
        bits=stated_bits or WIDE_BITS,
        is_depth_certain=stated_bits is not None,
        alpha=values[..., -1] if has_alpha else None,
        orientation=orientation,
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and whole chunks. The last chunk may be cut short; the decoder refuses it."""
    offset = len(SIGNATURE)
    while offset + 8 <= len(data):
        size, name = unpack_from(">I4s", data, offset)
        yield name, data[offset : offset + size + 12]
        offset += size + 12


def read_exif(stream: BinaryIO) -> bytes:
    """Return the EXIF block of a PNG, which may follow its pixels (11.3.3.2); empty without one."""
    stream.seek(len(SIGNATURE))
    while len(header := stream.read(CHUNK_HEADER_BYTES)) == CHUNK_HEADER_BYTES:
        size, name = unpack(">I4s", header)
        if name == b"eXIf":
            return stream.read(size)
        stream.seek(size + CHECKSUM_BYTES, SEEK_CUR)
    return b""


def _significant_bits(data: bytes, highest: int) -> int | None:
    """Return the depth by the chunk sBIT, or None if there is none that the values keep to.

    By the standard, samples are scaled to all 16 bits. Some programs state their significant bits
    and do not scale.
    """
    for name, chunk in png_chunks(data):
        if name == b"sBIT":
            bits = chunk[8]
            return bits if 1 <= bits <= WIDE_BITS and highest < 2**bits else None
        if name == b"IDAT":
            break
    return None
