from xml.etree import ElementTree

import pytest

from services.api.reports.sentences import translator
from services.api.web.plots.case import LEFT, SPAN, WIDTH, outline, risk_scale
from tests.support.builders import result

TRANSLATE = translator("en")


def scale_figure(**changes) -> ElementTree.Element:
    return ElementTree.fromstring(risk_scale(TRANSLATE, result(**changes)))


def by_class(figure: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return figure.find(f"*[@class='{name}']")


def x_of(share: float) -> float:
    """The place of a risk by the bands of ACR TI-RADS, each a quarter of the bar."""
    limits = (0.0, 0.02, 0.05, 0.2, 1.0)
    index = next(i for i in range(4) if share <= limits[i + 1])
    part = (share - limits[index]) / (limits[index + 1] - limits[index])
    return LEFT + SPAN * (index + part) / 4


def test_each_band_of_the_guideline_is_as_wide_and_named():
    figure = scale_figure()
    names = [element.text for element in figure.findall("*[@class='level']")]
    assert names == ["TR2", "TR3", "TR4", "TR5"]
    widths = [
        float(by_class(figure, f"band band-{n}").get("width"))
        for n in range(len(names))
    ]
    assert widths == pytest.approx([SPAN / 4] * 4, abs=0.2)
    ticks = [element.text for element in figure.findall("*[@class='tick']")]
    assert ticks == ["0 %", "2 %", "5 %", "20 %", "100 %"]


@pytest.mark.parametrize("risk", [0.0, 0.013, 0.05, 0.19, 0.42, 1.0])
def test_the_risk_stands_in_the_band_of_its_level(risk):
    figure = scale_figure(risk=risk, cutoff_risk=0.19)
    start = by_class(figure, "risk").get("d").removeprefix("M").split()[0]
    assert float(start) == pytest.approx(x_of(risk), abs=0.1)
    cutoff = float(by_class(figure, "mark cutoff").get("x1"))
    assert cutoff == pytest.approx(x_of(0.19), abs=0.1)


def test_the_interval_is_a_beam_from_its_low_to_its_high_end():
    path = by_class(scale_figure(risk_interval=(0.31, 0.56)), "interval").get("d")
    low, high = (part.split()[0] for part in path.removeprefix("M").split("M")[:2])
    assert (float(low), float(high)) == pytest.approx((x_of(0.31), x_of(0.56)), abs=0.1)


def test_without_a_size_the_scale_has_no_levels():
    figure = scale_figure(fna=None)
    assert figure.findall("*[@class='level']") == []
    assert float(by_class(figure, "band band-0").get("width")) == SPAN


def test_the_figure_has_a_description_in_words():
    description = scale_figure().find("desc").text
    assert "the model's cut-off is at 19 %" in description
    assert "That is an assumption" in description


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_label_of_a_mark_at_an_end_stays_inside(share):
    middle = float(by_class(scale_figure(cutoff_risk=share), "cutoff").get("x"))
    assert 50 < middle < WIDTH - 50


@pytest.mark.parametrize(
    ("roi", "shape"),
    [
        ({"box": [1, 2, 30, 40]}, "rect"),
        ({"polygon": [[0, 0], [9, 0], [5, 9]]}, "polygon"),
    ],
)
def test_an_outline_lies_over_the_image_in_its_own_pixels(roi, shape):
    figure = ElementTree.fromstring(outline(roi, 300, 200))
    assert figure.get("viewBox") == "0 0 300 200"
    assert [element.tag for element in figure] == [shape, shape]


def test_without_an_outline_nothing_lies_over_the_image():
    assert outline(None, 300, 200) == ""
