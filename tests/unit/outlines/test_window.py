import numpy as np
import pytest

from shared.imaging import Click
from shared.outlines.examples import draw_click, loosen_box, mask_box
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
    prompt, click_map = window.box_prompt(BOX)
    assert not click_map.any()
    middle = WINDOW_PX // 2
    edge = WINDOW_PX // 4
    assert prompt[middle, middle] == pytest.approx(1, abs=0.02)
    assert prompt[middle, edge] == pytest.approx(0.5, abs=0.02)
    assert prompt[0, 0] < 0.3


def test_the_prompt_of_a_click_falls_alike_in_every_picture_from_1_to_minus_1():
    maps = []
    for side in (100.0, 400.0):
        window = Window.of_picture((0, 0, side, side), WINDOW_PX)
        box_map, click_map = window.click_prompt(Click(x=side / 4, y=side / 2))
        assert not box_map.any()
        row, column = np.unravel_index(click_map.argmax(), click_map.shape)
        assert row == pytest.approx(window.rows / 2, abs=1)
        assert column == pytest.approx(window.columns / 4, abs=1)
        maps.append(click_map)
    assert np.allclose(*maps, atol=1e-5)
    assert maps[0].max() == pytest.approx(1, abs=0.02)
    assert (maps[0] > 0).mean() == pytest.approx(np.pi * 0.2**2, rel=0.1)
    assert maps[0][:, -1].max() == -1


def test_clicks_fall_anywhere_in_a_nodule_but_on_its_edge():
    mask = np.zeros((60, 60), bool)
    mask[:40, 10:50] = True
    random = np.random.default_rng(0)
    clicks = [draw_click(mask, random) for _ in range(200)]
    x = [click.x for click in clicks]
    y = [click.y for click in clicks]
    assert 13 < min(x) < 17
    assert 43 < max(x) < 47
    assert 3 < min(y) < 7
    assert 33 < max(y) < 37


def test_the_box_of_a_mask_holds_its_pixels():
    mask = np.zeros((50, 60), bool)
    mask[10:21, 30:45] = True
    assert mask_box(mask) == (30.0, 10.0, 15.0, 11.0)


def test_each_side_of_a_box_moves_by_a_share_of_its_own_direction():
    shares = np.array([0.1, -0.5, 0.25, 0.0])
    assert loosen_box((10.0, 20.0, 40.0, 20.0), shares) == (14.0, 10.0, 46.0, 30.0)
