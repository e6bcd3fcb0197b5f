"""Reads TIFF (TIFF 6.0) and BigTIFF.

tifffile reads grey and RGB as they are stored, at every depth: Pillow would drop the low bits of
colours, and would not honour the polarity of deep grey. Pillow reads what needs another decoder:
palettes, CMYK, fax and JPEG, of up to 8 bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import TiffFile

from shared.imaging.errors import UnsupportedImage
from shared.imaging.raster.orientation import (
    ORIENTATION_TAG,
    Orientation,
    orientation_of,
)
from shared.imaging.raster.samples import BYTE_BITS, Samples

FILE_HEADER_BYTES = 8
BIG_SIGNATURES = (b"II+\0", b"MM\0+")
"""BigTIFF: offsets of 8 bytes, and a header of twice the size."""
WIDTH, HEIGHT = 256, 257
BITS_PER_SAMPLE = 258
COMPRESSION = 259
PHOTOMETRIC = 262
SAMPLES_PER_PIXEL = 277
MAX_SAMPLE_VALUE = 281
TILE_SIDES = (322, 323)
EXTRA_SAMPLES = 338
SAMPLE_FORMAT = 339
PARTS = ((273, 279), (324, 325))
"""The tags of the offsets and of the sizes of strips, and of tiles."""
LOSSLESS = {1, 5, 8, 32773, 32946}
"""Uncompressed, LZW, Deflate, PackBits and the older number of Deflate."""
JPEG_COMPRESSIONS = {6, 7}
"""JPEG by TIFF 6.0, and by its Technical Note 2."""
WHITE_IS_ZERO = 0
COLOUR_COUNTS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3}
"""Channels of the greys and of RGB, by PhotometricInterpretation."""
PILLOW_PHOTOMETRICS = {*COLOUR_COUNTS, 3, 4, 5, 6}
"""Also palettes, transparency masks, CMYK and YCbCr."""
SIGNED = 2
FLOAT = {3, 6}
"""SampleFormat of signed integers, and of real and complex floating-point numbers."""
UNASSOCIATED_ALPHA = 2
MAX_CHANNELS = 8
MAX_BITS = 32
MAX_TILE_SIDE_PX = 4096
"""Largest side of a tile; a tile may reach beyond the image, and takes memory as a whole."""


@dataclass(frozen=True)
class TiffHeader:
    """The first page of a file, as its tags describe it.

    Attributes
    ----------
    width, height : stored size in pixels
    bits : depth of a sample
    channels : samples of a pixel
    photometric : PhotometricInterpretation
    has_more_pages : whether a second page follows. The pages are not counted, because counting
        would follow the whole chain
    """

    width: int
    height: int
    bits: int
    channels: int
    photometric: int
    compression: int
    sample_format: int
    extra_samples: tuple[int, ...]
    max_sample_value: int | None
    orientation: Orientation
    has_more_pages: bool
    pixel_end: int
    """Offset after the last byte of the strips or tiles."""

    @property
    def has_plain_samples(self) -> bool:
        """Whether the samples are grey or RGB, compressed without loss or not at all."""
        return self.photometric in COLOUR_COUNTS and self.compression in LOSSLESS


def read_tiff_header(stream: BinaryIO) -> TiffHeader:
    """Read the tags of the first page.

    Raises
    ------
    UnsupportedImage
        if it is of a kind that is not read.
    """
    start = stream.read(FILE_HEADER_BYTES)
    byte_order = start[:2]
    if start.startswith(BIG_SIGNATURES):
        # Pillow knows BigTIFF by the signature of its little-endian form alone.
        rest = start[4:] + stream.read(FILE_HEADER_BYTES)
        start = BIG_SIGNATURES[0] + rest
    tags = ImageFileDirectory_v2(start, prefix=byte_order)
    stream.seek(tags.next)
    tags.load(stream)
    depths = _numbers(tags, BITS_PER_SAMPLE, default=1)
    if len(set(depths)) > 1:
        raise UnsupportedImage(
            problem="TIFF images whose channels differ in BitsPerSample are not read"
        )
    header = TiffHeader(
        width=_number(tags, WIDTH),
        height=_number(tags, HEIGHT),
        bits=depths[0],
        channels=_number(tags, SAMPLES_PER_PIXEL, default=len(depths)),
        photometric=_number(tags, PHOTOMETRIC, default=1),
        compression=_number(tags, COMPRESSION, default=1),
        sample_format=_number(tags, SAMPLE_FORMAT, default=1),
        extra_samples=_numbers(tags, EXTRA_SAMPLES) if EXTRA_SAMPLES in tags else (),
        max_sample_value=_number(tags, MAX_SAMPLE_VALUE, default=0) or None,
        orientation=orientation_of(tags.get(ORIENTATION_TAG)),
        has_more_pages=bool(tags.next),
        pixel_end=_pixel_end(tags),
    )
    _check_kind(header)
    if any(_number(tags, tag, default=0) > MAX_TILE_SIDE_PX for tag in TILE_SIDES):
        problem = f"TIFF images with tiles above {MAX_TILE_SIDE_PX} pixels are not read"
        raise UnsupportedImage(problem=problem)
    return header


def read_plain_samples(data: bytes, header: TiffHeader) -> Samples:
    """Decode a first page that `has_plain_samples`. Raises UnsupportedImage for negative values."""
    with TiffFile(BytesIO(data)) as file:
        page = file.pages.first
        values = np.asarray(page.asarray(squeeze=False, maxworkers=1))
        channels = _channels_last(values, is_planar=page.planarconfig == 2)
    if channels.min() < 0:
        raise UnsupportedImage(problem="Images of negative values are not read")
    colour_count = COLOUR_COUNTS[header.photometric]
    samples = channels.astype(_container(header.bits), copy=False)
    colour = samples[..., 0] if colour_count == 1 else samples[..., :colour_count]
    alpha = None
    if UNASSOCIATED_ALPHA in header.extra_samples:
        index = colour_count + header.extra_samples.index(UNASSOCIATED_ALPHA)
        alpha = samples[..., index]
    stated_bits = _stated_depth(header, colour)
    is_signed = header.sample_format == SIGNED
    bits = header.bits - 1 if is_signed else header.bits
    return Samples(
        colour=colour,
        bits=stated_bits or bits,
        is_depth_certain=stated_bits is not None,
        white_is_zero=header.photometric == WHITE_IS_ZERO,
        alpha=alpha,
        orientation=header.orientation,
    )


def _container(bits: int) -> type[np.unsignedinteger]:
    if bits <= BYTE_BITS:
        return np.uint8
    return np.uint16 if bits <= 2 * BYTE_BITS else np.uint32


def _stated_depth(
    header: TiffHeader, colour: NDArray[np.unsignedinteger]
) -> int | None:
    """Return the depth that MaxSampleValue states, if all bits of it are set."""
    limit = header.max_sample_value
    if not limit or limit & (limit + 1) or colour.max() > limit:
        return None
    return limit.bit_length()


def _check_kind(header: TiffHeader) -> None:
    if header.sample_format in FLOAT:
        raise UnsupportedImage(problem="Images of floating-point values are not read")
    if header.bits > MAX_BITS or header.channels > MAX_CHANNELS:
        problem = (
            f"TIFF images of {header.channels} channels of {header.bits} bits "
            "are not read"
        )
        raise UnsupportedImage(problem=problem)
    if header.photometric not in PILLOW_PHOTOMETRICS:
        raise UnsupportedImage(
            problem=f"TIFF images of PhotometricInterpretation {header.photometric} are not read"
        )
    if header.bits > BYTE_BITS and not header.has_plain_samples:
        problem = (
            f"TIFF images of {header.bits} bits with PhotometricInterpretation "
            f"{header.photometric} and Compression {header.compression} are not read"
        )
        raise UnsupportedImage(problem=problem)


def _pixel_end(tags: ImageFileDirectory_v2) -> int:
    ends = [0]
    for offsets_tag, sizes_tag in PARTS:
        if offsets_tag in tags and sizes_tag in tags:
            offsets = _numbers(tags, offsets_tag)
            sizes = _numbers(tags, sizes_tag)
            ends += [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    return max(ends)


def _channels_last(values: NDArray[np.number], is_planar: bool) -> NDArray[np.number]:
    """Return (height, width, channels).

    The axes of tifffile are planes, depth, rows, columns and samples.
    """
    if values.shape[1] != 1:
        raise UnsupportedImage(problem="TIFF images of volumes are not read")
    if is_planar:
        return np.moveaxis(values[:, 0, :, :, 0], 0, -1)
    return np.asarray(values[0, 0])


def _number(tags: ImageFileDirectory_v2, tag: int, default: int | None = None) -> int:
    return _numbers(tags, tag, default)[0]


def _numbers(
    tags: ImageFileDirectory_v2, tag: int, default: int | None = None
) -> tuple[int, ...]:
    """Return the values of a tag. Raises KeyError if it is absent and has no default."""
    value = tags[tag] if default is None else tags.get(tag, default)
    if isinstance(value, Sequence):
        return tuple(int(number) for number in value)
    return (int(cast(int, value)),)
