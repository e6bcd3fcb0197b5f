import zlib
from io import BytesIO
from struct import pack

import pytest
from PIL import Image

from shared.imaging import (
    EmptyImage,
    Header,
    ImageFormat,
    ImageTooLarge,
    ImageTooSmall,
    ImageUnreadable,
    Limits,
    UnsupportedImage,
    inspect,
)


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header states this size and which holds no pixels."""
    chunks = (
        (b"IHDR", pack(">II", width, height) + bytes([8, 0, 0, 0, 0])),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    framed = (
        pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_size_and_format_come_from_the_header(kind, speckle, encode):
    assert inspect(BytesIO(encode(speckle, kind))) == Header(
        ImageFormat(kind.lower()), width=64, height=48
    )


def test_a_sideways_photograph_is_measured_as_displayed(speckle, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "TIFF"):
        header = inspect(BytesIO(encode(Image.fromarray(speckle), kind, exif=exif)))
        assert (header.width, header.height) == (48, 64)


def test_the_stream_is_left_at_its_start(speckle, encode):
    stream = BytesIO(encode(speckle))
    stream.seek(7)
    inspect(stream)
    assert stream.tell() == 0


def test_dicom_is_read_without_its_pixels(speckle, dicom):
    data = dicom(speckle)
    header_only = data[: data.index(b"\xe0\x7f\x10\x00") + 12]
    assert inspect(BytesIO(header_only)) == Header(
        ImageFormat.DICOM, width=64, height=48, frames=1
    )


def test_an_empty_file_is_refused():
    with pytest.raises(EmptyImage):
        inspect(BytesIO())


@pytest.mark.parametrize(
    "data", [b"patient notes", b"GIF89a" + bytes(40), b"%PDF-1.7", bytes(200)]
)
def test_other_types_are_refused_whatever_their_name(data):
    with pytest.raises(UnsupportedImage) as refusal:
        inspect(BytesIO(data))
    assert refusal.value.status == 415


@pytest.mark.parametrize(
    "size", [(30_000, 30_000), (12_000, 12_000), (20_000, 10), (7_000, 6_000)]
)
def test_a_bomb_is_refused_before_it_unfolds(size):
    with pytest.raises(ImageTooLarge) as refusal:
        inspect(BytesIO(png_that_claims(*size)))
    assert refusal.value.status == 413


def test_limits_can_be_set(speckle, encode):
    with pytest.raises(ImageTooLarge):
        inspect(BytesIO(encode(speckle)), Limits(max_pixels=64 * 48 - 1))


def test_a_dot_is_too_small():
    with pytest.raises(ImageTooSmall):
        inspect(BytesIO(png_that_claims(7, 500)))


def test_a_broken_header_is_unreadable():
    with pytest.raises(ImageUnreadable):
        inspect(BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(30)))


def test_dicom_without_an_image_is_unsupported(dicom, speckle):
    with pytest.raises(UnsupportedImage, match="holds no image"):
        inspect(BytesIO(dicom(speckle, Rows=None, Columns=None)))


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_a_missing_side_is_refused_by_its_name(keyword, dicom, speckle):
    with pytest.raises(ImageUnreadable, match=keyword):
        inspect(BytesIO(dicom(speckle, **{keyword: None})))
