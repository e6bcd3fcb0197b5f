"""Known points of a figure are at the pixels of their numbers."""

import xml.etree.ElementTree as ET

import pytest

from services.api.web.plots.models import (
    FigureText,
    Frame,
    calibration,
    learning,
    roc,
    round_above,
)

TEXT = FigureText(key="fig", title="A & B", desc="described", x="x", y="y")
FRAME = Frame()
BIN = {
    "mean_probability": 0.5,
    "observed": 0.25,
    "count": 4,
    "malignant": 1,
    "interval": {"low": 0.05, "high": 0.7},
}


def parts(svg, tag, kind):
    elements = ET.fromstring(svg).iter(tag)
    return [element for element in elements if kind in element.get("class", "").split()]


def test_corners_of_the_data_are_corners_of_the_frame():
    assert (FRAME.x(0), FRAME.y(0)) == (52, 282)
    assert (FRAME.x(1), FRAME.y(1)) == (348, 12)
    assert (FRAME.x(0.5), FRAME.y(0.5)) == (200, 147)


def test_curves_run_through_their_points_and_bands_around_them():
    side = {"points": [[0, 0], [0.5, 0.5], [1, 1]], "band": [[0, 0, 0.5], [1, 1, 1]]}
    svg = roc({"candidate": side, "live": side}, TEXT)
    [curve] = parts(svg, "polyline", "candidate")
    assert curve.get("points") == "52.0,282.0 200.0,147.0 348.0,12.0"
    [band] = parts(svg, "polygon", "live")
    assert band.get("points") == "52.0,147.0 348.0,12.0 348.0,12.0 52.0,282.0"
    [chance] = parts(svg, "polyline", "chance")
    assert chance.get("points") == "52.0,282.0 348.0,12.0"


def test_a_bin_is_at_its_risk_and_rate_with_its_interval_and_counts():
    svg = calibration(
        {"candidate": [BIN, BIN | {"mean_probability": 0.1, "count": 1}]}, TEXT
    )
    large, small = parts(svg, "circle", "bin")
    assert (large.get("cx"), large.get("cy"), large.get("r")) == (
        "200.0",
        "214.5",
        "9.0",
    )
    assert (small.get("r"), large[0].text) == ("6.0", "1 / 4")
    whisker = parts(svg, "line", "whisker")[0]
    assert (whisker.get("y1"), whisker.get("y2")) == ("268.5", "93.0")


def test_a_figure_names_and_describes_itself():
    root = ET.fromstring(calibration({}, TEXT))
    assert root.get("aria-labelledby") == "fig-title fig-desc"
    assert [element.text for element in root[:2]] == ["A & B", "described"]
    assert "style" not in calibration({}, TEXT)


def test_epochs_run_from_the_first_to_the_last_under_a_round_top():
    svg = learning({"tuning/1/0": [(1, 0.8), (2, 0.4), (3, 0.2)]}, TEXT)
    [curve] = parts(svg, "polyline", "curve")
    assert curve.get("points") == "52.0,44.0 200.0,108.0 348.0,140.0"
    assert [element.text for element in parts(svg, "text", "tick")] == [
        "1",
        "2",
        "3",
        "0",
        "0.5",
        "1",
    ]


def test_before_the_first_epoch_there_are_axes_and_no_line():
    assert parts(learning({}, TEXT), "polyline", "curve") == []


@pytest.mark.parametrize(
    ("value", "above"),
    [(0, 1), (0.7, 1), (1, 1), (1.2, 2), (0.03, 0.05), (6, 10), (20, 20)],
)
def test_the_end_of_an_axis_is_the_next_round_number(value, above):
    assert round_above(value) == pytest.approx(above)
