import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from shared.study.report.plots import draw_all
from shared.study.results import Row, Section
from tests.support.fabricated_study import study


@pytest.fixture(scope="module")
def figures(fabricated):
    return draw_all(fabricated)


def words(svg: str) -> list[str]:
    return [
        text.strip() for text in ElementTree.fromstring(svg).itertext() if text.strip()
    ]


def test_every_figure_is_drawn_with_letters_as_text(figures):
    assert list(figures) == [
        "roc",
        "confusion",
        "calibration",
        "decision-curve",
        "scores",
    ]
    assert "1 − specificity" in words(figures["roc"][0])
    assert "stated risk of malignancy" in words(figures["calibration"][0])
    assert any(text.startswith("benign (40") for text in words(figures["scores"][0]))
    assert re.fullmatch(
        r".*Brier score 0\.\d{3}, expected calibration error 0\.\d{3}\.",
        figures["calibration"][1],
    )


def test_the_roc_names_the_model_the_best_of_each_table_and_the_people(figures):
    text = " | ".join(words(figures["roc"][0]))
    for name in (
        "model: light",
        "tuned: ",
        "features: ",
        "ensembles: (a) alexnet",
        "person: kim",
        "person: park",
    ):
        assert name in text


def test_the_confusion_matrix_holds_the_models_counts(fabricated, figures):
    decisions = next(
        row for row in fabricated.rows if row.section is Section.MODEL
    ).decisions
    text = words(figures["confusion"][0])
    assert str(int((decisions & fabricated.malignant).sum())) in text


def test_the_decision_curve_stands_beside_biopsy_all_and_none_at_two_prevalences(
    figures,
):
    svg, caption = figures["decision-curve"]
    text = words(svg)
    for label in ("the model", "biopsy all", "biopsy none"):
        assert label in text
    assert "33 % malignant" in text
    assert "23 % malignant" in text
    assert "Vickers & Elkin 2006" in caption
    assert "At 33 % malignant, its interval lies above both" in caption


def test_no_two_figures_share_an_id(figures):
    ids = [
        name
        for svg, _ in figures.values()
        for name in re.findall(r'\bid="([^"]+)"', svg)
    ]
    assert len(ids) == len(set(ids))
    for svg, _ in figures.values():
        references = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
        assert references <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_the_same_study_gives_the_same_figures(fabricated, figures):
    assert draw_all(fabricated) == figures


def test_names_are_drawn_as_they_are(fabricated):
    named = [replace(row, name=f"_$x^2$ <b>{row.name}</b>") for row in fabricated.rows]
    text = " ".join(words(draw_all(study(rows=tuple(named)))["roc"][0]))
    assert "model: _$x^2$ <b>light</b>" in text


def test_long_names_are_shortened_behind_their_auc(fabricated):
    named = tuple(
        replace(row, name="very long " * 20)
        for row in fabricated.rows
        if row.section is Section.MODEL
    )
    text = next(
        text
        for text in words(draw_all(study(rows=named))["roc"][0])
        if "very long" in text
    )
    assert re.fullmatch(r"0\.\d{3}\s+model: (very long )+.*…", text)
    assert len(text) <= 58


def test_what_has_no_numbers_is_not_drawn(fabricated):
    people = tuple(row for row in fabricated.rows if row.section is Section.READERS)
    assert draw_all(study(rows=people)) == {}
    flags = np.arange(len(fabricated.images)) < 5
    vote = Row(
        section=Section.MODEL,
        name="vote",
        facts={},
        decisions=flags,
        scores=np.ones(flags.size),
        risks=None,
        judgement_mask=flags,
    )
    assert list(draw_all(study(rows=(vote,)))) == ["roc", "confusion", "scores"]
