import numpy as np
import pytest

from shared.outlines.examples import loosen_box, mask_box
from shared.outlines.window import Window

WINDOW_PX = 160
BOX = (30.0, 20.0, 40.0, 20.0)


def test_a_window_around_a_box_shows_half_a_side_more_on_each_side():
    window = Window.around(BOX, WINDOW_PX)
    assert (window.left, window.top) == (10.0, 10.0)
    assert (window.width, window.height) == (80.0, 40.0)
    assert (window.columns, window.rows) == (WINDOW_PX, WINDOW_PX)


def test_values_come_back_to_where_they_were_sampled():
    picture = np.zeros((60, 90), np.uint8)
    picture[22:38, 34:66] = 255
    window = Window.around(BOX, WINDOW_PX)
    placed = window.place(window.sample(picture), width=90, height=60)
    assert ((placed > 127) == (picture > 127)).all()


def test_beyond_the_picture_there_is_nothing():
    picture = np.full((40, 40), 200, np.uint8)
    sampled = Window.around((0.0, 0.0, 20.0, 20.0), WINDOW_PX).sample(picture)
    assert sampled[0, 0] == 0
    assert sampled[-1, -1] == pytest.approx(200)


def test_a_large_picture_is_seen_with_its_proportions():
    window = Window.of_picture((0, 0, 560, 360), WINDOW_PX)
    assert window.columns % 32 == window.rows % 32 == 0
    assert window.columns / window.rows == pytest.approx(560 / 360, rel=0.15)


def test_a_picture_has_as_many_pixels_as_the_plan_says():
    square = (0.0, 0.0, 256.0, 256.0)
    assert Window.of_picture(square, 160).columns == 192
    assert Window.of_picture(square, 80).columns == 96


def test_the_prompt_is_half_on_the_ellipse_inside_the_box():
    window = Window.around(BOX, WINDOW_PX)
    prompt = window.prompt(BOX)
    middle = WINDOW_PX // 2
    edge = WINDOW_PX // 4
    assert prompt[middle, middle] == pytest.approx(1, abs=0.02)
    assert prompt[middle, edge] == pytest.approx(0.5, abs=0.02)
    assert prompt[0, 0] < 0.3


def test_the_box_of_a_mask_holds_its_pixels():
    mask = np.zeros((50, 60), bool)
    mask[10:21, 30:45] = True
    assert mask_box(mask) == (30.0, 10.0, 15.0, 11.0)


def test_each_side_of_a_box_moves_by_a_share_of_its_own_direction():
    shares = np.array([0.1, -0.5, 0.25, 0.0])
    assert loosen_box((10.0, 20.0, 40.0, 20.0), shares) == (14.0, 10.0, 46.0, 30.0)
