"""The same picture in each container and depth is the same 8-bit grey."""

import numpy as np
import pytest

from shared.imaging import decode
from shared.imaging.deidentify import clean

KEY = b"key"


def codes(image) -> list[str]:
    return [finding.code for finding in image.findings]


@pytest.fixture
def dark(speckle) -> np.ndarray:
    """A picture whose greatest value is 78 of 255."""
    return (speckle.astype(np.uint16) * 78 // 250).astype(np.uint16)


@pytest.mark.parametrize("factor", [257, 256], ids=["scaled", "shifted"])
def test_16_bits_give_the_pixels_of_the_same_8_bits(
    factor, dark, speckle, encode, tiff
):
    for picture in (dark, speckle.astype(np.uint16)):
        wide = (picture * factor).astype(np.uint16)
        for data in (encode(wide), tiff(wide, photometric="minisblack")):
            image = decode(data)
            assert (image.pixels == picture).all()
            assert image.findings == ()


def test_colour_has_the_depth_of_grey(dark, wide_png, tiff):
    rgb = np.repeat((dark * 257)[..., None], 3, axis=2).astype(np.uint16)
    opaque = np.full((*dark.shape, 1), 65535, np.uint16)
    pictures = {
        "rgb png": wide_png(rgb),
        "rgba png": wide_png(np.concatenate([rgb, opaque], axis=2)),
        "grey with alpha": wide_png(np.concatenate([rgb[..., :1], opaque], axis=2)),
        "rgb tiff": tiff(rgb, photometric="rgb"),
        "planes": tiff(
            np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate"
        ),
    }
    for data in pictures.values():
        assert (decode(data).pixels == dark).all()
        assert (decode(clean(data, KEY).data).pixels == dark).all()


@pytest.mark.parametrize("bits", [10, 12])
def test_fewer_bits_in_16_are_guessed_and_said_in_grey_and_colour(
    bits, speckle, wide_png, tiff
):
    values = np.rint(speckle / 255 * (2**bits - 1)).astype(np.uint16)
    rgb = np.repeat(values[..., None], 3, axis=2)
    for data in (
        wide_png(values),
        wide_png(rgb),
        tiff(values, photometric="minisblack"),
        tiff(rgb, photometric="rgb"),
    ):
        image = decode(data)
        assert (image.pixels == speckle).all()
        assert codes(image) == ["depth-guessed"]
        assert image.findings[0].facts == {"declared_bits": 16, "bits": bits}


def test_8_bits_in_16_are_8_bits(speckle, wide_png):
    image = decode(wide_png(speckle.astype(np.uint16)))
    assert (image.pixels == speckle).all()
    assert codes(image) == ["depth-guessed"]


def test_stated_significant_bits_are_no_guess(speckle, wide_png, significant_bits):
    values = np.rint(speckle / 255 * 4095).astype(np.uint16)
    data = wide_png(values, chunks=significant_bits(12))
    for stored in (data, clean(data, KEY).data):
        image = decode(stored)
        assert (image.pixels == speckle).all()
        assert image.findings == ()


def test_significant_bits_do_not_darken_values_that_are_scaled(
    speckle, wide_png, significant_bits
):
    scaled = (speckle.astype(np.uint16) * 257).astype(np.uint16)
    data = wide_png(scaled, chunks=significant_bits(8))
    assert (decode(data).pixels == speckle).all()


@pytest.mark.parametrize("stated", [4095, 65535])
def test_a_tiff_may_state_its_greatest_value(stated, speckle, packed_tiff):
    values = np.rint(speckle / 255 * 4095).astype(np.uint16)
    data = packed_tiff(
        values, bits=16, photometric=1, order="<", tags={281: ("H", stated)}
    )
    expected = np.rint(values / stated * 255)
    for stored in (data, clean(data, KEY).data):
        image = decode(stored)
        assert np.abs(image.pixels - expected).max() <= 1
        assert image.findings == ()


def test_one_bright_pixel_changes_no_other_pixel(dark, encode):
    wide = (dark * 257).astype(np.uint16)
    wide[5, 5] = 65535
    expected = dark.copy()
    expected[5, 5] = 255
    assert (decode(encode(wide)).pixels == expected).all()
