from xml.etree import ElementTree

import pytest

from services.api.web.plots.wallboard import HEIGHT, PADDING, WIDTH, runs, sparkline


def lines(values):
    """The points of each polyline."""
    svg = sparkline(
        key="key", title="Title & more", desc="Desc", lines={"first": values}
    )
    polylines = ElementTree.fromstring(svg).iter("polyline")
    return [points_of(polyline) for polyline in polylines]


def points_of(polyline):
    points = polyline.get("points").split()
    return [tuple(map(float, point.split(","))) for point in points]


def test_the_highest_value_is_at_the_top_and_zero_at_the_bottom():
    assert lines([0.0, 5.0, 10.0]) == [
        [(0, HEIGHT - PADDING), (WIDTH / 2, HEIGHT / 2), (WIDTH, PADDING)]
    ]


def test_a_step_without_results_leaves_a_gap_and_a_single_value_is_visible():
    first, second = lines([1.0, 1.0, None, 2.0, None])
    assert len(first) == len(second) == 2
    assert second[0][0] < 0.75 * WIDTH < second[1][0]


@pytest.mark.parametrize("values", [[], [None, None], [0.0], [0.0, 0.0]])
def test_a_window_without_results_can_be_drawn(values):
    assert all(y == HEIGHT - PADDING for line in lines(values) for _, y in line)


def test_runs_are_the_stretches_between_gaps():
    assert list(runs([None, 1.0, 2.0, None, 3.0])) == [[(1, 1.0), (2, 2.0)], [(4, 3.0)]]
