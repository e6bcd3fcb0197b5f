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


def test_the_bar_ends_at_the_risk_and_the_marks_are_at_their_shares():
    figure = scale_figure()
    assert float(by_class(figure, "risk").get("width")) == pytest.approx(
        0.42 * SPAN, abs=0.1
    )
    for name, share in (("cutoff", 0.19), ("prevalence", 0.23)):
        assert float(by_class(figure, f"mark {name}").get("x1")) == pytest.approx(
            LEFT + share * SPAN, abs=0.1
        )


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
