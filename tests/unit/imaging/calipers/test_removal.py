import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging.calipers import Mark, MarkKind, find_marks, remove_marks
from shared.imaging.calipers.removal import MARGIN_PX
from shared.imaging.image import Box
from shared.phantoms import draw
from tests.support.builders import Screen

SPECKLE = draw(4, size_px=96).pixels
any_boxes = st.builds(
    Box,
    st.integers(-30, 110),
    st.integers(-30, 110),
    st.integers(1, 40),
    st.integers(1, 40),
)
boxes_inside = st.builds(
    Box, st.integers(0, 60), st.integers(0, 60), st.integers(3, 30), st.integers(3, 30)
)


def mark(kind: MarkKind, box: Box) -> Mark:
    x = box.x + (box.width - 1) / 2
    y = box.y + (box.height - 1) / 2
    return Mark(kind=kind, x=x, y=y, box=box)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(MarkKind), boxes_inside)
        | st.tuples(st.just(MarkKind.PLUS), any_boxes),
        max_size=4,
    )
)
def test_nothing_changes_away_from_marks(kinds_and_boxes):
    marks = [mark(kind, box) for kind, box in kinds_and_boxes]
    neighbourhood = np.zeros(SPECKLE.shape, np.uint8)
    for caliper in marks:
        left = caliper.box.x - 2 * MARGIN_PX
        top = caliper.box.y - 2 * MARGIN_PX
        right = caliper.box.x + caliper.box.width + 2 * MARGIN_PX
        bottom = caliper.box.y + caliper.box.height + 2 * MARGIN_PX
        neighbourhood[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1
    cleaned = remove_marks(SPECKLE, marks)
    assert (cleaned == SPECKLE)[neighbourhood == 0].all()


def test_the_image_given_stays_as_it_was(screen):
    screen.end(60, 150).end(240, 162)
    original = screen.pixels.copy()
    remove_marks(screen.pixels, find_marks(screen.pixels))
    assert (screen.pixels == original).all()


@pytest.mark.parametrize("kind", ["+", "x"])
def test_marks_letters_and_dots_give_way_to_tissue(kind, screen):
    screen.end(60, 150, kind).end(240, 150, kind).letter(72, 170).dotted(
        (60, 150), (240, 150), 40
    )
    cleaned = remove_marks(screen.pixels, find_marks(screen.pixels))
    drawn_pixels = screen.pixels != screen.plain
    difference_before, difference_after = (
        np.abs(image.astype(int) - screen.plain)[drawn_pixels].mean()
        for image in (screen.pixels, cleaned)
    )
    assert difference_after < difference_before / 4
    assert cleaned[drawn_pixels].max() < 190


def test_marks_drawn_over_a_phantom_hardly_change_what_is_read():
    plain = draw(6).pixels
    with_calipers = draw(6, caliper=True).pixels
    cleaned = remove_marks(with_calipers, find_marks(with_calipers))
    drawn_pixels = with_calipers != plain
    difference_before, difference_after = (
        np.abs(image.astype(int) - plain)[drawn_pixels].mean()
        for image in (with_calipers, cleaned)
    )
    assert difference_after < difference_before / 4


def test_without_marks_the_image_comes_back_the_same():
    cleaned = remove_marks(SPECKLE, ())
    assert (cleaned == SPECKLE).all()
    assert cleaned is not SPECKLE


def test_the_wide_strokes_of_a_photograph_are_covered_as_well():
    screen = Screen(640, 640).end(160, 350).end(440, 362)
    large_pixels, plain = (
        cv2.resize(image, None, fx=2.5, fy=2.5)
        for image in (screen.pixels, screen.plain)
    )
    cleaned = remove_marks(large_pixels, find_marks(large_pixels))
    drawn_pixels = cv2.absdiff(large_pixels, plain) > 60
    assert (
        cv2.absdiff(cleaned, plain)[drawn_pixels].mean()
        < cv2.absdiff(large_pixels, plain)[drawn_pixels].mean() / 3
    )
