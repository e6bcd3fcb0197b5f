from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from shared.domain.roi_space import RoiSpace
from shared.imaging import (
    Box,
    Roi,
    RoiOutsideImage,
    crop,
    decode,
    inspect,
    to_upright,
)
from shared.imaging.deidentify import clean
from shared.imaging.errors import RoiInvalid
from tests.support.png_chunks import png_chunk

KEY = b"key"
TURNS = {
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (270, True),
    6: (90, False),
    7: (90, True),
    8: (270, False),
}
"""The clockwise turn in degrees and whether the picture is mirrored, by EXIF orientation."""


def exif(orientation: int) -> Image.Exif:
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    return metadata


def test_an_orientation_after_the_pixels_of_a_png_counts(speckle, encode):
    data = encode(speckle)
    end = data.index(b"IEND") - 4
    block = exif(6).tobytes().removeprefix(b"Exif\0\0")
    turned = data[:end] + png_chunk(b"eXIf", block) + data[end:]
    for stored in (turned, clean(turned, KEY).data):
        image = decode(stored)
        assert (image.pixels == np.rot90(speckle, -1)).all()
        assert [finding.code for finding in image.findings] == ["turned"]


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_turned_picture_is_said(kind, orientation, speckle, encode):
    data = encode(Image.fromarray(speckle), kind, exif=exif(orientation))
    degrees, is_mirrored = TURNS[orientation]
    for stored in (data, clean(data, KEY).data):
        (finding,) = decode(stored).findings
        assert finding.code == "turned"
        assert finding.facts == {"degrees": degrees, "mirrored": is_mirrored}


def test_a_picture_that_is_upright_says_nothing(speckle, encode):
    for kind in ("PNG", "TIFF"):
        data = encode(Image.fromarray(speckle), kind, exif=exif(1))
        assert decode(data).findings == ()


def test_a_deep_tiff_is_turned(speckle, encode):
    wide = Image.fromarray((speckle.astype(np.uint16) * 257).astype(np.uint16))
    data = encode(wide, "TIFF", exif=exif(6))
    image = decode(data)
    assert (image.pixels == np.rot90(speckle, -1)).all()
    assert [finding.code for finding in image.findings] == ["turned"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_stored_roi_cuts_the_same_tissue_from_the_upright_picture(
    kind, orientation, speckle, encode
):
    data = encode(Image.fromarray(speckle), kind, exif=exif(orientation))
    header = inspect(BytesIO(data))
    roi = to_upright(Roi(box=(10, 4, 24, 16)), RoiSpace.STORED, header)
    nodule = crop(decode(data), roi)
    tissue = speckle[4:20, 10:34]
    assert sorted(nodule.pixels.ravel()) == sorted(tissue.ravel())
    assert nodule.pixels.shape == (tissue.shape if orientation < 5 else (24, 16))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_stored_polygon_marks_the_same_pixels(orientation, speckle, encode):
    marked = np.zeros(speckle.shape, bool)
    marked[8:30, 20:50] = True
    marked[8:14, 20:30] = False
    data = encode(Image.fromarray(speckle), "PNG", exif=exif(orientation))
    header = inspect(BytesIO(data))
    roi = to_upright(Roi.from_mask(marked), RoiSpace.STORED, header)
    upright = roi.mask(Box(x=0, y=0, width=header.width, height=header.height))
    expected = header.orientation.upright(marked)
    assert (upright == expected).all()


def test_an_upright_roi_stays_as_it_is(speckle, encode):
    data = encode(Image.fromarray(speckle), "PNG", exif=exif(6))
    header = inspect(BytesIO(data))
    roi = Roi(box=(4, 10, 16, 24))
    assert to_upright(roi, RoiSpace.UPRIGHT, header) == roi


def test_a_roi_outside_of_its_own_space_is_refused(speckle, encode):
    data = encode(Image.fromarray(speckle), "PNG", exif=exif(6))
    header = inspect(BytesIO(data))
    wide = Roi(box=(30, 4, 30, 16))
    with pytest.raises(RoiOutsideImage, match="48 x 64"):
        to_upright(wide, RoiSpace.UPRIGHT, header)
    tall = Roi(box=(4, 30, 16, 30))
    with pytest.raises(RoiOutsideImage, match="64 x 48"):
        to_upright(tall, RoiSpace.STORED, header)


@pytest.mark.parametrize("block", [b"Exif\0\0no structure at all", b"\0" * 40])
def test_a_broken_exif_block_does_not_hide_the_picture(block, speckle, encode):
    data = encode(speckle, "JPEG", exif=block, quality=100)
    plain = decode(encode(speckle, "JPEG", quality=100))
    for image in (decode(data), decode(clean(data, KEY).data)):
        np.testing.assert_array_equal(image.pixels, plain.pixels)
        assert image.findings == plain.findings


def test_an_orientation_of_one_byte_is_read(speckle, encode):
    block = bytearray(exif(6).tobytes())
    entry = block.index(b"\x01\x12", 6)
    block[entry + 2 : entry + 4] = b"\x00\x01"
    block[entry + 8 : entry + 12] = b"\x06\x00\x00\x00"
    image = decode(encode(speckle, "PNG", exif=bytes(block)))
    np.testing.assert_array_equal(image.pixels, np.rot90(speckle, -1))
    assert [finding.code for finding in image.findings] == ["turned"]


def test_stored_pixels_of_heic_are_refused_by_name(speckle, encode):
    register_heif_opener()
    header = inspect(BytesIO(encode(speckle, "HEIF", quality=90)))
    roi = Roi.parse({"box": [4, 4, 20, 20]})
    with pytest.raises(RoiInvalid, match="HEIC is always read upright"):
        to_upright(roi, RoiSpace.STORED, header)
