import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from shared.study.report.plots import draw_all
from shared.study.results import Row, Section
from tests.support.fabricated_study import study


@pytest.fixture(scope="module")
def drawn(made):
    return draw_all(made)


def words(svg: str) -> list[str]:
    return [
        text.strip() for text in ElementTree.fromstring(svg).itertext() if text.strip()
    ]


def test_every_figure_is_drawn_with_letters_as_text(drawn):
    assert list(drawn) == ["roc", "confusion", "calibration", "scores"]
    assert "1 − specificity" in words(drawn["roc"][0])
    assert "stated risk of malignancy" in words(drawn["calibration"][0])
    assert any(word.startswith("benign (40") for word in words(drawn["scores"][0]))
    assert re.fullmatch(
        r".*Brier score 0\.\d{3}, expected calibration error 0\.\d{3}\.",
        drawn["calibration"][1],
    )


def test_the_roc_names_the_model_the_best_of_each_table_and_the_people(drawn):
    told = " | ".join(words(drawn["roc"][0]))
    for name in (
        "model: light",
        "tuned: ",
        "features: ",
        "ensembles: (a) alexnet",
        "person: kim",
        "person: park",
    ):
        assert name in told


def test_the_confusion_matrix_holds_the_models_counts(made, drawn):
    called = next(row for row in made.rows if row.section is Section.MODEL).decisions
    told = words(drawn["confusion"][0])
    assert str(int((called & made.malignant).sum())) in told


def test_no_two_figures_share_an_id(drawn):
    ids = [
        name for svg, _ in drawn.values() for name in re.findall(r'\bid="([^"]+)"', svg)
    ]
    assert len(ids) == len(set(ids))
    for svg, _ in drawn.values():
        used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
        assert used <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_the_same_study_gives_the_same_figures(made, drawn):
    assert draw_all(made) == drawn


def test_names_are_drawn_as_they_are(made):
    named = [replace(row, name=f"_$x^2$ <b>{row.name}</b>") for row in made.rows]
    told = " ".join(words(draw_all(study(rows=tuple(named)))["roc"][0]))
    assert "model: _$x^2$ <b>light</b>" in told


def test_long_names_are_shortened_behind_their_auc(made):
    named = tuple(
        replace(row, name="very long " * 20)
        for row in made.rows
        if row.section is Section.MODEL
    )
    told = next(
        word
        for word in words(draw_all(study(rows=named))["roc"][0])
        if "very long" in word
    )
    assert re.fullmatch(r"0\.\d{3}\s+model: (very long )+.*…", told)
    assert len(told) <= 58


def test_what_has_no_numbers_is_not_drawn(made):
    people = tuple(row for row in made.rows if row.section is Section.READERS)
    assert draw_all(study(rows=people)) == {}
    flags = np.arange(len(made.images)) < 5
    vote = Row(Section.MODEL, "vote", {}, flags, np.ones(flags.size), None, flags)
    assert list(draw_all(study(rows=(vote,)))) == ["roc", "confusion", "scores"]
