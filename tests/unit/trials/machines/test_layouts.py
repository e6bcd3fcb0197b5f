"""Layouts of drawn screens."""

import numpy as np
import pytest

from trials.machines.layouts import frame_layout


def screen(*, bar_top: int, panels: list[tuple[int, int]]) -> np.ndarray:
    """A black frame with a grey bar at the left edge, panels of noise, and a line of text.

    `panels` are the first and the last column of each.
    """
    frame = np.zeros((360, 560), np.uint8)
    frame[bar_top : bar_top + 46, 6:16] = np.linspace(255, 30, 46)[:, np.newaxis]
    for left, right in panels:
        noise = np.random.default_rng(left).integers(30, 200, (300, right - left))
        frame[8:308, left:right] = noise
    frame[330:334, 90:200] = 255
    return frame


@pytest.mark.parametrize(
    ("bar_top", "panels", "layout"),
    [
        (160, [(87, 472)], "single"),
        (160, [(113, 446)], "narrow"),
        (160, [(35, 530)], "dual"),
        (160, [(35, 270), (290, 530)], "dual"),
        (160, [(35, 250), (290, 530)], "dual"),
        (175, [(35, 558)], "dual-low"),
        (60, [(87, 472)], "single-none"),
    ],
)
def test_a_screen_s_layout_follows_from_its_bar_and_its_panels(bar_top, panels, layout):
    measured = frame_layout("a.jpg", screen(bar_top=bar_top, panels=panels))
    assert measured.layout == layout


def test_a_black_frame_has_no_picture():
    measured = frame_layout("black.jpg", np.zeros((360, 560), np.uint8))
    assert (measured.bar, measured.left_px, measured.width_px) == ("none", 0, 0)
