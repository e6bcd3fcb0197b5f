import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging.calipers import Mark, MarkKind, find_marks, remove_marks
from shared.imaging.calipers.removal import WIDENED_PX
from shared.imaging.image import Box
from shared.phantoms import draw
from tests.support.builders import Screen

SPECKLE = draw(4, size_px=96).pixels
boxes = st.builds(
    Box,
    st.integers(-30, 110),
    st.integers(-30, 110),
    st.integers(1, 40),
    st.integers(1, 40),
)
inside = st.builds(
    Box, st.integers(0, 60), st.integers(0, 60), st.integers(3, 30), st.integers(3, 30)
)


def mark(kind: MarkKind, box: Box) -> Mark:
    return Mark(kind, box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2, box)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(MarkKind), inside)
        | st.tuples(st.just(MarkKind.PLUS), boxes),
        max_size=4,
    )
)
def test_nothing_changes_away_from_marks(drawn):
    marks = [mark(kind, box) for kind, box in drawn]
    near = np.zeros(SPECKLE.shape, np.uint8)
    for each in marks:
        left = each.box.x - 2 * WIDENED_PX
        top = each.box.y - 2 * WIDENED_PX
        right = each.box.x + each.box.width + 2 * WIDENED_PX
        bottom = each.box.y + each.box.height + 2 * WIDENED_PX
        near[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1
    cleaned = remove_marks(SPECKLE, marks)
    assert (cleaned == SPECKLE)[near == 0].all()


def test_the_image_given_stays_as_it_was(screen):
    screen.end(60, 150).end(240, 162)
    before = screen.pixels.copy()
    remove_marks(screen.pixels, find_marks(screen.pixels))
    assert (screen.pixels == before).all()


@pytest.mark.parametrize("kind", ["+", "x"])
def test_marks_letters_and_dots_give_way_to_tissue(kind, screen):
    screen.end(60, 150, kind).end(240, 150, kind).letter(72, 170).dotted(
        (60, 150), (240, 150), 40
    )
    cleaned = remove_marks(screen.pixels, find_marks(screen.pixels))
    drawn = screen.pixels != screen.plain
    before, after = (
        np.abs(image.astype(int) - screen.plain)[drawn].mean()
        for image in (screen.pixels, cleaned)
    )
    assert after < before / 4
    assert cleaned[drawn].max() < 190


def test_marks_drawn_over_a_phantom_hardly_change_what_is_read():
    plain = draw(6).pixels
    marked = draw(6, caliper=True).pixels
    cleaned = remove_marks(marked, find_marks(marked))
    drawn = marked != plain
    before, after = (
        np.abs(image.astype(int) - plain)[drawn].mean() for image in (marked, cleaned)
    )
    assert after < before / 4


def test_without_marks_the_image_comes_back_the_same():
    cleaned = remove_marks(SPECKLE, ())
    assert (cleaned == SPECKLE).all()
    assert cleaned is not SPECKLE


def test_the_wide_strokes_of_a_photograph_are_covered_as_well():
    screen = Screen(640, 640).end(160, 350).end(440, 362)
    large, plain = (
        cv2.resize(image, None, fx=2.5, fy=2.5)
        for image in (screen.pixels, screen.plain)
    )
    cleaned = remove_marks(large, find_marks(large))
    drawn = cv2.absdiff(large, plain) > 60
    assert (
        cv2.absdiff(cleaned, plain)[drawn].mean()
        < cv2.absdiff(large, plain)[drawn].mean() / 3
    )
