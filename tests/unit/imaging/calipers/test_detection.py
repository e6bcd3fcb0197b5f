import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.imaging.calipers import MarkKind, end_marks, find_marks
from shared.phantoms import draw

DDTI = Path(__file__).parents[4].parent / "shared" / "data" / "ddti"
END_MARK_COUNTS = {
    "62_2": 2,
    "69_1(2)": 2,
    "226_1(1)": 4,
    "173_2": 4,
    "226_1(2)": 2,
    "124_1(2)": 4,
    "138_1(1)": 2,
    "64_1(1)": 4,
    "158_3": 2,
    "132_1(2)": 4,
    "69_1(1)": 4,
    "250_1(2)": 4,
    "64_2": 2,
    "138_1(2)": 3,
    "58_2": 2,
    "96_1(1)": 4,
}
"""Real images, and the number of end marks that a person counts on each."""
MAX_PLAIN_IMAGES = 60


def end_points(pixels) -> list[tuple[float, float]]:
    return [(mark.x, mark.y) for mark in end_marks(find_marks(pixels))]


@pytest.mark.parametrize("kind", ["+", "x"])
@pytest.mark.parametrize("half", [5, 7, 10])
def test_marks_are_found_where_they_were_drawn(kind, half, screen):
    screen.end(60, 150, kind, half).end(240, 162, kind, half)
    assert end_points(screen.pixels) == [
        pytest.approx((60, 150), abs=1),
        pytest.approx((240, 162), abs=1),
    ]
    expected = MarkKind.PLUS if kind == "+" else MarkKind.CROSS
    assert {mark.kind for mark in end_marks(find_marks(screen.pixels))} == {expected}


def test_an_open_plus_is_a_plus(screen):
    screen.open_plus(60, 150).open_plus(240, 162)
    assert end_points(screen.pixels) == [
        pytest.approx((60, 150), abs=1),
        pytest.approx((240, 162), abs=1),
    ]


def test_the_box_of_a_mark_holds_its_strokes(screen):
    screen.end(60, 150).end(240, 162)
    first = find_marks(screen.pixels)[0]
    rows, columns = np.nonzero(
        screen.pixels[130:170, 40:80] != screen.plain[130:170, 40:80]
    )
    assert abs(first.box.x - (40 + columns.min())) <= 1
    assert abs(first.box.y + first.box.height - (130 + rows.max() + 1)) <= 1


def test_a_letter_beside_a_mark_is_found_and_one_far_from_it_is_not(screen):
    screen.end(60, 150).end(240, 162).letter(72, 166).letter(140, 60)
    letters = [
        mark for mark in find_marks(screen.pixels) if mark.kind is MarkKind.LETTER
    ]
    assert [(mark.x, mark.y) for mark in letters] == [pytest.approx((77, 161), abs=3)]


@pytest.mark.parametrize("count", [4, 24, 60])
def test_dots_between_marks_are_found(count, screen):
    screen.end(60, 150).end(240, 150).dotted((60, 150), (240, 150), count)
    dots = {
        (mark.x, mark.y)
        for mark in find_marks(screen.pixels)
        if mark.kind is MarkKind.DOT
    }
    dotted_columns = np.flatnonzero((screen.pixels != screen.plain)[150, 75:226]) + 75
    assert (
        np.mean(
            [
                any(abs(x - column) <= 1 and abs(y - 150) <= 1 for x, y in dots)
                for column in dotted_columns
            ]
        )
        > 0.9
    )


def test_a_large_image_is_searched_scaled_down_and_answered_in_its_own_pixels(screen):
    screen.end(60, 150).end(240, 162)
    large = cv2.resize(screen.pixels, None, fx=6, fy=6, interpolation=cv2.INTER_LINEAR)
    assert end_points(large) == [
        pytest.approx((362, 902), abs=6),
        pytest.approx((1442, 974), abs=6),
    ]


def test_text_beside_the_image_is_no_mark():
    pixels = np.zeros((400, 500), np.uint8)
    for row in range(8):
        cv2.putText(
            pixels,
            "t+x 12L5 +t",
            org=(10, 40 + 45 * row),
            fontFace=cv2.FONT_HERSHEY_SIMPLEX,
            fontScale=0.6,
            color=220,
            thickness=1,
        )
    assert find_marks(pixels) == ()


@pytest.mark.parametrize("size_px", [128, 256, 300])
def test_phantoms_without_marks_have_none(size_px):
    seeds_with_marks = [
        seed for seed in range(25) if find_marks(draw(seed, size_px=size_px).pixels)
    ]
    assert seeds_with_marks == []


def test_marks_on_phantoms_are_found():
    """Marks at the usual size of phantoms.

    On phantoms of 128 pixels they are 5 pixels wide, too small to be distinguished from speckle.
    """
    counts = [
        len(end_marks(find_marks(draw(seed, caliper=True).pixels)))
        for seed in range(25)
    ]
    assert np.mean([count == 4 for count in counts]) > 0.85


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 8), np.uint8), np.full((40, 9), 255, np.uint8)]
)
def test_images_smaller_than_a_mark_have_none(pixels):
    assert find_marks(pixels) == ()


@pytest.mark.skipif(
    not DDTI.exists(), reason="the real images are not beside the checkout"
)
def test_marks_on_real_images_are_found():
    counts = {
        name: len(end_points(_real(f"images/{name}.png"))) for name in END_MARK_COUNTS
    }
    assert counts == END_MARK_COUNTS


@pytest.mark.skipif(
    not DDTI.exists(), reason="the real images are not beside the checkout"
)
def test_real_images_without_marks_have_none():
    with (DDTI / "manifest.csv").open() as table:
        images = [row["image"] for row in csv.DictReader(table)]
    patients = {name.split("_")[0] for name in END_MARK_COUNTS} | {
        "106",
        "158",
        "173",
        "230",
        "234",
        "145",
        "64",
        "96",
        "58",
    }
    plain = [
        image for image in images if Path(image).stem.split("_")[0] not in patients
    ][:MAX_PLAIN_IMAGES]
    assert [image for image in plain if find_marks(_real(image))] == []


def _real(path: str):
    return cv2.imread(str(DDTI / path), cv2.IMREAD_GRAYSCALE)
