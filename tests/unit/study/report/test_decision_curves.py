import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from shared.statistics import decision_curves
from shared.study.report.decision_curves import (
    COLUMNS,
    decision_curve_table,
    model_decision_curves,
    superiority_sentence,
)
from shared.study.report.tables import csv_bytes
from shared.study.results import Section
from tests.support.fabricated_study import study


def model_row(study):
    return next(row for row in study.rows if row.section is Section.MODEL)


def test_the_csv_file_holds_the_models_curves_by_patient(fabricated):
    content = csv_bytes(decision_curve_table(fabricated)).decode()
    records = list(csv.DictReader(io.StringIO(content)))
    assert tuple(records[0]) == COLUMNS
    assert len(records) == 2 * 60
    curves = decision_curves(
        model_row(fabricated).risks, fabricated.malignant, fabricated.groups
    )
    for curve, own_records in zip(curves, (records[:60], records[60:]), strict=True):
        for column in ("threshold", "net_benefit", "low", "high", "biopsy_all"):
            values = [float(record[column]) for record in own_records]
            assert values == pytest.approx(getattr(curve, column), rel=1e-5, abs=1e-6)
        for record in own_records:
            assert float(record["prevalence"]) == pytest.approx(
                curve.prevalence, rel=1e-5
            )
    assert {record["biopsy_none"] for record in records} == {"0"}


def test_images_that_the_model_did_not_judge_are_in_no_curve(fabricated):
    mask = np.arange(60) < 30
    row = replace(model_row(fabricated), judgement_mask=mask)
    curves = model_decision_curves(study(rows=(row,)))
    expected = decision_curves(
        row.risks[mask], fabricated.malignant[mask], fabricated.groups[mask]
    )
    assert np.array_equal(curves[0].net_benefit, expected[0].net_benefit)


def test_no_risks_or_one_class_give_no_curve(fabricated):
    row = model_row(fabricated)
    people = tuple(row for row in fabricated.rows if row.section is Section.READERS)
    benign = np.zeros(60, bool)
    for changed in (
        study(rows=people),
        study(rows=(replace(row, risks=None),)),
        study(rows=(row,), malignant=benign),
    ):
        assert model_decision_curves(changed) == ()
        assert decision_curve_table(changed).records == ()


def test_the_sentence_says_where_the_model_is_worth_more():
    random = np.random.default_rng(0)
    labels = random.random(400) < 0.5
    patients = np.arange(400)
    good, _ = decision_curves(np.where(labels, 0.9, 0.1), labels, patients)
    sentence = superiority_sentence(good)
    assert "50 of 60 thresholds, from 11 to 60 %" in sentence
    useless, _ = decision_curves(np.full(400, 0.5), labels, patients)
    assert superiority_sentence(useless).endswith("above both at no threshold.")
