from io import BytesIO

import numpy as np
import pytest

from shared.imaging import decode, inspect
from trials.load.images import FORMATS, ImageSource, mark_with_number

SMALL = tuple(image_format for image_format in FORMATS if image_format.size_px == 256)


@pytest.fixture(scope="module")
def album() -> ImageSource:
    return ImageSource(SMALL)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.description)
def test_every_format_is_one_that_the_gateway_takes(kind):
    pixels = np.full((kind.size_px, kind.size_px), 90, np.uint8)
    data = kind.encode(mark_with_number(pixels, 5))
    header = inspect(BytesIO(data))
    assert (header.width, header.height) == (kind.size_px, kind.size_px)
    assert decode(data) is not None


def test_formats_come_by_turns_and_names_tell_them(album):
    names = [album.image(number)[0] for number in range(2 * len(SMALL))]
    assert names == 2 * [f"nodule.{item.name}" for item in SMALL]


def test_no_two_cases_have_the_same_image(album):
    files = {album.image(number)[1] for number in range(200)}
    assert len(files) == 200


def test_a_case_has_the_same_image_each_time(album):
    assert album.image(7) == album.image(7)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.description)
def test_the_mark_outlives_every_encoding(kind):
    plain = np.full((kind.size_px, kind.size_px), 90, np.uint8)
    first, second = (kind.encode(mark_with_number(plain, number)) for number in (1, 2))
    assert first != second


def test_marking_leaves_the_phantom_as_it_was():
    plain = np.zeros((64, 64), np.uint8)
    mark_with_number(plain, 3)
    assert not plain.any()
