import csv
import io

import numpy as np
import pytest

from shared.recipes import load_recipe
from shared.study.report.figures import (
    best_row_per_section,
    compute_figures,
    leading_row,
)
from shared.study.report.tables import (
    FIGURE_COLUMNS,
    csv_bytes,
    missing_rows_table,
    scores_table,
    section_table,
    settings_table,
    site_table,
    skipped_table,
)
from shared.study.results import MissingRow, Row, Section, Study
from tests.support.fabricated_study import study

MALIGNANT = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)


def row(
    section: Section,
    name: str,
    scores: list[float],
    judged: list[bool] | None = None,
    **facts: str,
) -> Row:
    values = np.array(scores, float)
    flags = np.ones(8, bool) if judged is None else np.array(judged)
    return Row(
        section=section,
        name=name,
        facts=facts,
        decisions=flags & (values >= 0.5),
        scores=values,
        risks=None,
        judgement_mask=flags,
    )


def small(*rows: Row, **changed: object) -> Study:
    """Eight images, the first four malignant."""
    facts = {
        "recipe": load_recipe("light"),
        "images": tuple(f"{letter}.png" for letter in "abcdefgh"),
        "malignant": MALIGNANT,
        "groups": np.array(list("abcdefgh")),
        "sites": np.array(["n"] * 4 + [""] * 4),
        "rows": rows,
        "folds": 2,
        "seed": 0,
        "fingerprint": "f",
    }
    return Study(**{**facts, **changed})


GOOD = row(
    Section.FEATURES, "good", [0.9, 0.8, 0.7, 0.4, 0.6, 0.3, 0.2, 0.1], tap="fc2"
)
FAIR = row(
    Section.FEATURES, "fair", [0.9, 0.8, 0.2, 0.4, 0.6, 0.3, 0.5, 0.1], classifier="svm"
)


def read(table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_bytes(table).decode())))


def test_a_sections_table_holds_counts_auc_and_both_intervals():
    first, second = read(section_table(small(GOOD, FAIR), Section.FEATURES))
    assert list(first) == ["name", "tap", "classifier", *FIGURE_COLUMNS]
    golden = {
        "name": "good",
        "tap": "fc2",
        "classifier": "",
        "n": "8",
        "malignant": "4",
    }
    golden |= {
        "tp": "3",
        "fn": "1",
        "fp": "1",
        "tn": "3",
        "auc": "0.9375",
        "accuracy": "0.75",
        "ppv": "0.75",
    }
    golden |= {
        "sensitivity_logit_wald_low": "0.23784",
        "sensitivity_logit_wald_high": "0.966489",
    }
    golden |= {
        "sensitivity_wilson_low": "0.300642",
        "sensitivity_wilson_high": "0.954413",
    }
    assert {column: first[column] for column in golden} == golden
    assert (second["tap"], second["classifier"], second["auc"]) == ("", "svm", "0.6875")


def test_a_table_shows_the_intervals_by_name_and_marks_the_best_row():
    table = section_table(small(FAIR, GOOD), Section.FEATURES)
    assert table.highlighted_row == 1
    judge, counts, auc, accuracy, *_ = table.rows[1]
    assert (judge.text, judge.notes) == ("good", ("tap: fc2",))
    assert (counts.text, counts.notes) == ("8", ("4 malignant",))
    assert (auc.text, len(auc.notes)) == ("0.938", 1)
    assert (accuracy.text, accuracy.notes) == (
        "75.0",
        ("logit 37.7–93.7", "Wilson 40.9–92.9"),
    )


def test_a_judge_is_measured_on_what_it_judged():
    half = row(
        Section.READERS,
        "half",
        [1, 0, 0, 0, 0, 0, 0, 0],
        [True] * 2 + [False] * 4 + [True] * 2,
    )
    found = compute_figures(half, MALIGNANT)
    assert (found.images, found.malignant, found.table.fn, found.area.value) == (
        4,
        2,
        1,
        0.75,
    )


@pytest.mark.parametrize(("judged", "value"), [((0, 4), 1.0), ((0, 1), None)])
def test_few_images_give_an_auc_without_interval_or_none(judged, value):
    flags = [place in judged for place in range(8)]
    area = compute_figures(
        row(Section.READERS, "x", GOOD.scores.tolist(), flags), MALIGNANT
    ).area
    assert (
        area is None if value is None else (area.value, area.interval) == (value, None)
    )


def test_an_empty_section_is_a_file_with_its_header_alone():
    table = section_table(small(GOOD), Section.TUNED)
    assert table.rows == ()
    assert csv_bytes(table).decode().startswith("name,n,malignant,tp")
    assert csv_bytes(table).count(b"\n") == 1


def test_the_lead_is_the_model_or_else_the_best_judge_that_is_no_person():
    model = row(Section.MODEL, "light", FAIR.scores.tolist())
    person = row(Section.READERS, "kim", MALIGNANT.astype(float).tolist())
    assert leading_row(small(GOOD, model, person)) is model
    assert leading_row(small(FAIR, GOOD, person)) is GOOD
    assert leading_row(small(person)) is None
    assert best_row_per_section(small(FAIR, GOOD, model, person)) == (GOOD, model)


def test_each_site_has_a_row_and_images_without_a_site_too():
    unnamed, north = read(site_table(small(GOOD)))
    assert (north["site"], north["n"], north["tp"], north["auc"]) == ("n", "4", "3", "")
    assert (unnamed["site"], unnamed["tn"], unnamed["sensitivity"]) == (
        "(not named)",
        "3",
        "",
    )
    assert site_table(small(GOOD, sites=np.array([""] * 8))).rows == ()


def test_scores_of_every_judge_stand_beside_each_image():
    person = Row(
        section=Section.READERS,
        name="kim",
        facts={},
        decisions=MALIGNANT,
        scores=None,
        risks=None,
        judgement_mask=np.arange(8) > 0,
    )
    first, second, *_ = read(scores_table(small(GOOD, person)))
    assert first == {
        "image": "a.png",
        "malignant": "1",
        "group": "a",
        "site": "n",
        "features: good": "0.9",
        "readers: kim": "",
    }
    assert second["readers: kim"] == "1"


def test_risks_stand_beside_scores():
    assert "risk by model: light" in scores_table(study()).columns


def test_what_is_missing_is_told_with_its_reason():
    fabricated = study(
        missing_rows=(
            MissingRow(Section.SMALL_CONCATENATIONS, "A+O svm", "no weights, so: none"),
        )
    )
    assert read(missing_rows_table(fabricated)) == [
        {
            "table": "Concatenations of two or three feature sets",
            "row": "A+O svm",
            "reason": "no weights, so: none",
        }
    ]
    assert (
        read(skipped_table(fabricated, {"key-of-a-broken-one": "x.png"}))[0]["image"]
        == "x.png"
    )
    assert read(skipped_table(fabricated, {}))[0]["image"] == "key-of-a-broken-one"


def test_chosen_settings_are_listed():
    fabricated = study(settings={"a": {"C": (0.1, 4.0), "kernel": "rbf", "epochs": 12}})
    assert [tuple(line.values()) for line in read(settings_table(fabricated))] == [
        ("a", "C", "0.1, 4"),
        ("a", "kernel", "rbf"),
        ("a", "epochs", "12"),
    ]
