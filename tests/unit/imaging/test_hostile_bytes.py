"""For any bytes, decoding returns an image or raises a named error."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pydicom.examples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.errors import SeraError
from shared.imaging import Limits, decode

SMALL = Limits(max_pixels=2**20)
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def _raster(kind: str, factor: int = 1, **options: object) -> bytes:
    grey = np.random.default_rng(0).integers(0, 256, (20, 24))
    samples = (grey * factor).astype(np.uint8 if factor == 1 else np.uint16)
    stream = BytesIO()
    Image.fromarray(samples).save(stream, kind, **options)
    return stream.getvalue()


def _heic() -> bytes:
    stream = BytesIO()
    grey = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    pillow_heif.from_pillow(Image.fromarray(grey)).save(stream)
    return stream.getvalue()


SEEDS = [
    *(_raster(kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP")),
    _raster("PNG", factor=257),
    _raster("TIFF", factor=257),
    _raster("TIFF", factor=257, compression="tiff_lzw"),
    _heic(),
] + [
    (TEST_FILES / name).read_bytes()
    for name in (
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "MR_small_jp2klossless.dcm",
        "SC_rgb_jls_lossy_line.dcm",
    )
]
MAGIC = [
    b"",
    b"BM",
    b"\xff\xd8\xff",
    b"II*\0",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\0\0\x10" * 2 + b"\x10\x02",
    b"RIFF\0\1\0\0WEBPVP8 ",
    b"\0\0\0\x18ftypheic",
    bytes(128) + b"DICM",
]


def status_of(data: bytes) -> int:
    """HTTP status of the response to an upload of these bytes."""
    try:
        return 200 if decode(data, SMALL).pixels.dtype == np.uint8 else 500
    except SeraError as refusal:
        return refusal.status


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_flipped_bytes(seed, flips):
    data = bytearray(seed)
    for position, value in flips:
        data[int(position * (len(data) - 1))] = value
    assert status_of(bytes(data)) < 500


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=4
    ),
)
def test_flipped_bytes_of_the_header(seed, flips):
    data = bytearray(seed)
    for position, value in flips:
        data[position % len(data)] = value
    assert status_of(bytes(data)) < 500


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SEEDS), st.floats(0, 1), st.floats(0, 1))
def test_a_piece_cut_out(seed, start, end):
    first, last = sorted((int(start * len(seed)), int(end * len(seed))))
    assert status_of(seed[:first] + seed[last:]) < 500


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(MAGIC),
    st.binary(max_size=300),
)
def test_noise_behind_a_magic_number(magic, noise):
    assert status_of(magic + noise) < 500


@pytest.mark.parametrize("name", ["palette_color", "jpeg2k"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_real_files_cut_short(name, share):
    data = pydicom.examples.get_path(name).read_bytes()
    assert status_of(data[: int(len(data) * share)]) < 500
