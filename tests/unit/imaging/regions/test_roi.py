import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging import (
    Box,
    Click,
    Roi,
    RoiInvalid,
    RoiOutsideImage,
    RoiTooSmall,
    parse_prompt,
)

TRIANGLE = {"polygon": [[10, 10], [50, 10], [30, 40.5]]}


def test_a_box_is_read_from_text_and_from_fields():
    assert (
        Roi.parse('{"box": [3, 4, 20, 30]}')
        == Roi.parse({"box": (3, 4, 20, 30)})
        == Roi(box=(3, 4, 20, 30))
    )
    assert Roi.parse('{"box": [3, 4, 20, 30]}').bounds == Box(3, 4, 20, 30)


def test_fractions_of_pixels_are_rounded_outwards():
    assert Roi.parse({"box": [3.6, 4.2, 20.1, 30]}).bounds == Box(3, 4, 21, 31)
    assert Roi.parse(TRIANGLE).bounds == Box(10, 10, 41, 31)


@pytest.mark.parametrize("source", ['{"box":[3,4,20,30.5]}', json.dumps(TRIANGLE)])
def test_what_is_written_is_read_back(source):
    assert Roi.parse(Roi.parse(source).to_json()) == Roi.parse(source)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "box",
        "[1, 2, 3, 4]",
        "{}",
        '{"box": [1, 2, 3, 4], "polygon": [[1, 2]]}',
        '{"box": [1, 2, 30]}',
        '{"box": "1234"}',
        '{"box": [1, 2, 30, "40"]}',
        '{"box": [1, 2, 30, true]}',
        '{"box": [1, 2, 30, NaN]}',
        '{"box": [1, 2, 30, Infinity]}',
        '{"box": [1, 2, 30, 1e30]}',
        '{"box": [1, 2, 30, ' + "9" * 400 + "]}",
        '{"polygon": []}',
        '{"polygon": [[1, 1], [40, 40]]}',
        '{"polygon": [[1, 1], [40, 40], [50]]}',
        '{"polygon": [[10, 10], [20, 20], [40, 40]]}',
        '{"polygon": [[0, 0], [40, 40], [40, 0], [0, 40]]}',
        '{"circle": [1, 2, 3]}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_invalid(source):
    with pytest.raises(RoiInvalid):
        Roi.parse(source)


@pytest.mark.parametrize("box", [[1, 2, 7, 40], [1, 2, 40, 0], [1, 2, -30, 40]])
def test_less_than_eight_pixels_is_too_small(box):
    with pytest.raises(RoiTooSmall):
        Roi.parse({"box": box})


@pytest.mark.parametrize(
    "box", [[-1, 0, 20, 20], [0, -0.5, 20, 20], [90, 0, 20, 20], [0, 50, 20, 20]]
)
def test_beyond_the_image_is_said_with_both_sizes(box):
    with pytest.raises(RoiOutsideImage, match="100 x 60"):
        Roi.parse({"box": box}).check_inside(100, 60)


def test_the_whole_image_is_inside():
    Roi.parse({"box": [0, 0, 100, 60]}).check_inside(100, 60)
    Roi.parse({"polygon": [[0, 0], [100, 0], [100, 60], [0, 60]]}).check_inside(100, 60)


def test_a_polygon_beyond_the_image_is_refused_without_listing_its_points():
    points = [
        [50 + 60 * np.cos(angle), 50 + 60 * np.sin(angle)]
        for angle in np.linspace(0, 6, 50)
    ]
    with pytest.raises(RoiOutsideImage, match="polygon of 50 points"):
        Roi.parse({"polygon": points}).check_inside(100, 100)


def test_a_mask_of_a_polygon_covers_its_corners():
    mask = Roi.parse({"polygon": [[10, 5], [29, 5], [29, 24], [10, 24]]}).mask(
        Box(0, 0, 40, 30)
    )
    assert mask.sum() == 400
    assert mask[5:25, 10:30].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_an_outlined_mask_comes_back_from_its_roi(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:60, :80]
    angle = np.arctan2(y - 30, x - 40)
    mask = np.hypot(y - 30, x - 40) < 18 + 4 * np.cos(
        rng.integers(2, 7) * angle + rng.uniform(0, 6)
    )
    assert (Roi.from_mask(mask).mask(Box(0, 0, 80, 60)) == mask).all()


def test_of_a_mask_in_parts_the_largest_is_taken():
    mask = np.zeros((60, 60), bool)
    mask[2:12, 2:12] = mask[20:50, 20:50] = True
    assert Roi.from_mask(mask).bounds == Box(20, 20, 30, 30)


def test_an_empty_mask_is_invalid():
    with pytest.raises(RoiInvalid):
        Roi.from_mask(np.zeros((20, 20), bool))


def test_a_prompt_is_an_roi_or_a_click():
    assert parse_prompt('{"point":[3,4.5]}') == Click(x=3.0, y=4.5)
    assert parse_prompt(Click(x=1.25, y=2.0).to_json()) == Click(x=1.25, y=2.0)
    box = Roi(box=(1.0, 2.0, 30.0, 40.0))
    assert parse_prompt(box.to_json()) == box


@pytest.mark.parametrize(
    "text",
    [
        '{"point":[3]}',
        '{"point":[3,NaN]}',
        '{"point":[3,"4"]}',
        '{"point":[3,4],"box":[1,2,30,40]}',
        '["point"]',
    ],
)
def test_what_is_no_point_is_no_prompt(text):
    with pytest.raises(RoiInvalid):
        parse_prompt(text)


def test_a_click_is_no_roi_of_a_case():
    with pytest.raises(RoiInvalid):
        Roi.parse('{"point":[3,4]}')
