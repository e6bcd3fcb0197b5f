"""WebP and HEIC, as phones make them."""

from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from shared.imaging import ImageFormat, ImageUnreadable, decode, inspect
from shared.imaging.deidentify import clean
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw

KEY = b"key"
NAME = "Zzyzxqvist"


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(draw(3, size_px=160).pixels[:120]).convert("RGB")


def exif(orientation: int = 1) -> bytes:
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    metadata[0x010E] = NAME
    return metadata.tobytes()


def heic(picture: Image.Image, **options: object) -> bytes:
    stream = BytesIO()
    file = pillow_heif.from_pillow(picture)
    file.save(stream, quality=95, **options)
    return stream.getvalue()


def webp(picture: Image.Image, **options: object) -> bytes:
    stream = BytesIO()
    picture.save(stream, "WEBP", **options)
    return stream.getvalue()


def test_heic_is_read_nearly(picture):
    image = decode(heic(picture))
    grey = np.asarray(picture.convert("L")).astype(int)
    assert image.format is ImageFormat.HEIC
    assert np.abs(image.pixels - grey).mean() < 3


def test_lossless_webp_is_read_as_it_was(picture):
    image = decode(webp(picture, lossless=True))
    assert image.format is ImageFormat.WEBP
    assert (image.pixels == np.asarray(picture.convert("L"))).all()


@pytest.mark.parametrize("encode_photo", [heic, webp])
def test_a_phone_photo_is_stored_as_png_without_its_metadata(encode_photo, picture):
    data = encode_photo(picture, exif=exif(6))
    cleaned = clean(data, KEY)
    assert NAME.encode() in data
    assert NAME.encode() not in cleaned.data
    assert cleaned.removed["EXIF"] == 1
    assert inspect(BytesIO(cleaned.data)).format is ImageFormat.PNG
    original = decode(data)
    stored = decode(cleaned.data)
    assert (stored.pixels == original.pixels).all()
    assert stored.findings == original.findings


def test_heic_is_turned_once(picture):
    upright = decode(heic(picture, exif=exif(6))).pixels
    header = inspect(BytesIO(heic(picture, exif=exif(6))))
    assert upright.shape == (160, 120) == (header.height, header.width)
    turned = np.rot90(np.asarray(picture.convert("L")), -1).astype(int)
    assert np.abs(upright - turned).mean() < 3


def test_of_an_animation_the_first_picture_is_stored_and_said(picture):
    data = webp(
        picture,
        lossless=True,
        save_all=True,
        append_images=[Image.new("RGB", picture.size)],
    )
    assert [finding.code for finding in decode(data).findings] == ["first-page"]
    cleaned = clean(data, KEY)
    assert [finding.code for finding in cleaned.findings] == ["first-page"]
    assert (decode(cleaned.data).pixels == np.asarray(picture.convert("L"))).all()


@pytest.mark.parametrize("encode_photo", [heic, webp])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_photo_that_is_cut_short_is_refused(encode_photo, share, picture):
    data = encode_photo(picture)
    with pytest.raises(ImageUnreadable):
        decode(data[: int(len(data) * share)])


def test_a_photo_is_recoded_in_a_sandbox_process(picture):
    pool = SandboxPool(Bounds(), 1)
    data = heic(picture, exif=exif(6))
    try:
        cleaned = pool.clean(data, KEY)
    finally:
        pool.close()
    assert cleaned.data == clean(data, KEY).data
    assert cleaned.removed == {"EXIF": 1}
