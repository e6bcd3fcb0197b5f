import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging import Box
from shared.imaging.calipers import Mark, MarkKind, caliper_mm, roi_from_marks

WIDTH = 320
HEIGHT = 240
points = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))


def marks(
    *points_xy: tuple[float, float], kind: MarkKind = MarkKind.PLUS
) -> tuple[Mark, ...]:
    return tuple(
        Mark(kind, x, y, Box(round(x) - 7, round(y) - 7, 15, 15)) for x, y in points_xy
    )


def roi(*points_xy: tuple[float, float]):
    return roi_from_marks(marks(*points_xy), WIDTH, HEIGHT)


def test_two_marks_end_the_diameter_of_a_circle():
    assert roi((100, 120), (200, 120)).box == pytest.approx((100, 70, 100, 100))
    assert roi((100, 60), (180, 120)).box == pytest.approx((90, 40, 100, 100))


def test_four_marks_end_the_axes_of_an_ellipse():
    ellipse = roi((60, 120), (220, 124), (140, 72), (138, 170))
    assert ellipse.polygon
    bounds = ellipse.bounds
    assert (bounds.x, bounds.y, bounds.width, bounds.height) == pytest.approx(
        (59, 72, 161, 99), abs=3
    )


def test_four_marks_are_paired_whatever_their_order():
    ends = [(60, 120), (220, 124), (140, 72), (138, 170)]
    assert roi(*ends[::-1]).bounds == roi(*ends).bounds


@pytest.mark.parametrize(
    "ends",
    [
        [],
        [(100, 120)],
        [(100, 120), (200, 120), (150, 60)],
        [(100, 120), (106, 121)],
        [(0, 0), (319, 239)],
        [(20, 30), (60, 30), (220, 200), (300, 200)],
        [(40, 100), (280, 104), (40, 110), (280, 114)],
        [(30 * i, 100) for i in range(6)],
    ],
)
def test_any_other_marks_enclose_nothing(ends):
    assert roi(*ends) is None


def test_letters_and_dots_do_not_count():
    labels = marks((100, 100), kind=MarkKind.LETTER) + marks(
        (150, 120), kind=MarkKind.DOT
    )
    assert (
        roi_from_marks(marks((100, 120), (200, 120)) + labels, WIDTH, HEIGHT)
        is not None
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(points, max_size=5))
def test_an_roi_from_marks_lies_inside_the_image(points_xy):
    ellipse = roi(*points_xy)
    if ellipse:
        ellipse.check_inside(WIDTH, HEIGHT)
        assert min(ellipse.bounds.width, ellipse.bounds.height) >= 8


@settings(max_examples=60, deadline=None)
@given(points, points, points, points)
def test_an_ellipse_from_axes_lies_inside_the_image(a, b, c, d):
    ellipse = roi(a, b, c, d)
    if ellipse:
        ellipse.check_inside(WIDTH, HEIGHT)


def test_marks_measure_in_millimetres_along_their_own_direction():
    assert caliper_mm(marks((100, 100), (130, 140)), (0.1, 0.1)) == pytest.approx(5)
    assert caliper_mm(marks((100, 100), (130, 140)), (0.2, 0.1)) == pytest.approx(
        math.hypot(3, 8)
    )
    assert caliper_mm(
        marks((60, 120), (220, 120), (140, 70), (140, 170)), (0.1, 0.1)
    ) == pytest.approx(16)


def test_marks_that_measure_nothing_give_no_millimetres():
    assert caliper_mm(marks((100, 100)), (0.1, 0.1)) is None
