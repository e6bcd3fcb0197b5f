from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from shared.errors import SeraError
from shared.imaging import decode
from shared.imaging.deidentify import clean, clean_mask

KEY = b"key"
NAME = "Zzyzxqvist"
PIXELS = np.random.default_rng(4).integers(0, 255, (40, 56)).astype(np.uint8)
PIXELS[:12, :12] = 250


def exif(orientation: int = 1) -> Image.Exif:
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    metadata[0x010E] = NAME
    metadata[0x013B] = NAME
    metadata[0x9286] = NAME.encode()
    return metadata


def picture(kind: str, mode: str = "L", **options: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def text_chunks() -> PngImagePlugin.PngInfo:
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Author", NAME)
    metadata.add_text("Comment", NAME, zip=True)
    metadata.add_itxt("Title", NAME)
    metadata.add(b"prVt", NAME.encode())
    return metadata


def tiff_tags() -> ImageFileDirectory_v2:
    metadata = ImageFileDirectory_v2()
    for tag in (270, 315, 305, 65000):
        metadata[tag] = NAME
    return metadata


FILES = {
    "png": lambda: picture("PNG", pnginfo=text_chunks(), exif=exif(6)),
    "palette png": lambda: picture("PNG", "P", pnginfo=text_chunks()),
    "transparent png": lambda: picture("PNG", "LA", pnginfo=text_chunks()),
    "jpeg": lambda: picture(
        "JPEG", exif=exif(8), comment=NAME, icc_profile=NAME.encode() * 20, dpi=(72, 72)
    ),
    "progressive jpeg": lambda: picture(
        "JPEG", "RGB", exif=exif(), comment=NAME, progressive=True
    ),
    "cmyk jpeg": lambda: picture("JPEG", "CMYK", exif=exif(), comment=NAME),
    "tiff": lambda: picture("TIFF", tiffinfo=tiff_tags(), exif=exif(3)),
    "packed tiff": lambda: picture(
        "TIFF", "RGB", tiffinfo=tiff_tags(), compression="tiff_adobe_deflate"
    ),
    "jpeg in tiff": lambda: picture(
        "TIFF", "RGB", tiffinfo=tiff_tags(), compression="jpeg"
    ),
    "pages": lambda: picture(
        "TIFF",
        tiffinfo=tiff_tags(),
        save_all=True,
        append_images=[Image.new("L", (9, 9))],
    ),
    "bmp": lambda: picture("BMP"),
    "palette bmp": lambda: picture("BMP", "P"),
}


@pytest.mark.parametrize("kind", FILES)
def test_no_word_survives_and_the_picture_is_the_same(kind):
    data = FILES[kind]() + NAME.encode() * 3
    cleaned = clean(data, KEY)
    assert NAME.encode() not in cleaned.data
    original = decode(data)
    decoded = decode(cleaned.data)
    assert (original.pixels == decoded.pixels).all()
    assert original.findings == decoded.findings
    assert clean(cleaned.data, KEY).data == cleaned.data


def test_removed_elements_are_counted_by_their_names_in_the_format():
    removed = clean(FILES["png"](), KEY).removed
    assert removed == {"tEXt": 1, "zTXt": 1, "iTXt": 1, "eXIf": 1, "other": 1}
    assert clean(FILES["jpeg"]() + b"more", KEY).removed == {
        "APP1": 1,
        "APP2": 1,
        "COM": 1,
        "trailing": 1,
    }
    removed = clean(picture("TIFF", tiffinfo=tiff_tags()), KEY).removed
    assert removed == {"ImageDescription": 1, "Artist": 1, "Software": 1, "other": 1}


def test_coded_jpeg_data_stay_bit_by_bit():
    data = picture("JPEG", exif=exif(), comment=NAME)
    offset = data.index(b"\xff\xda")
    assert clean(data, KEY).data.endswith(data[offset:])


def test_a_plain_png_is_stored_as_it_came():
    data = picture("PNG")
    cleaned = clean(data, KEY)
    assert (cleaned.data, cleaned.removed) == (data, {})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_the_picture_stays_turned_as_the_reader_sees_it(kind, orientation):
    data = picture(kind, exif=exif(orientation))
    assert (decode(clean(data, KEY).data).pixels == decode(data).pixels).all()


@given(st.sampled_from(sorted(FILES)), st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_damaged_files_are_cleaned_or_refused_and_never_crash(kind, draw):
    data = bytearray(FILES[kind]())
    for offset in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[offset] = draw.draw(st.integers(0, 255))
    try:
        cleaned = clean(bytes(data[: draw.draw(st.integers(0, len(data)))]), KEY)
    except SeraError:
        return
    assert len(cleaned.data) <= len(data) + 4096


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "JPEG"])
def test_a_mask_is_stored_as_a_png_of_two_values(kind):
    inside = np.zeros((40, 56), bool)
    inside[8:30, 10:40] = True
    stream = BytesIO()
    Image.fromarray(inside.astype(np.uint8) * 200).save(
        stream, kind, comment=NAME, pnginfo=text_chunks()
    )
    cleaned = clean_mask(stream.getvalue() + NAME.encode(), 56, 40)
    stored = Image.open(BytesIO(cleaned.data))
    assert NAME.encode() not in cleaned.data
    assert stored.format == "PNG"
    assert (np.asarray(stored) == inside * 255).all()
    assert cleaned.removed == {"recoded": 1}
    again = clean_mask(cleaned.data, 56, 40)
    assert (again.data, again.removed) == (cleaned.data, {})


def test_what_was_found_in_a_mask_is_kept_with_it():
    parts = np.zeros((40, 56), np.uint8)
    parts[8:30, 10:30] = 255
    parts[8:20, 40:52] = 255
    stream = BytesIO()
    Image.fromarray(parts).save(stream, "PNG")
    (finding,) = clean_mask(stream.getvalue(), 56, 40).findings
    assert finding.code == "several-components"
