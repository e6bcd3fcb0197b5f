"""Uncompressed colour is read in the order that it has."""

import numpy as np
import pytest

from shared.imaging import decode
from shared.imaging.deidentify import clean
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    KEY,
    RGB,
    codes,
    edited,
    grey_of,
    region,
)

BY_PLANE = np.ascontiguousarray(RGB.transpose(2, 0, 1)).tobytes()
NOISE = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.mark.parametrize("data_planes", [0, 1])
@pytest.mark.parametrize("label", [0, 1])
def test_the_order_of_colour_is_that_of_the_picture(data_planes, label):
    pixels = BY_PLANE if data_planes else RGB.tobytes()
    data = dicom_file(RGB, PixelData=pixels, PlanarConfiguration=label)
    image = decode(data)
    assert (image.pixels == grey_of(RGB)).all()
    is_wrong = data_planes != label
    assert ("header-contradicts-pixels" in codes(image)) is is_wrong
    masked = edited(data, SequenceOfUltrasoundRegions=[region(0, 8, 95, 63)])
    cleaned = clean(masked, KEY)
    assert ("header-contradicts-pixels" in codes(cleaned)) is is_wrong
    assert (decode(cleaned.data).pixels[8:] == grey_of(RGB)[8:]).all()


def test_the_label_holds_where_the_picture_does_not_tell():
    data = dicom_file(NOISE)
    assert (decode(data).pixels == grey_of(NOISE)).all()
    assert "header-contradicts-pixels" not in codes(decode(data))
