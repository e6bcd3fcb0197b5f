import numpy as np
import pytest

from shared.statistics import Measure, cohen_kappa, compare_rates, delong_test
from shared.study.report.comparisons import agreement_table, comparison_table
from shared.study.results import Row, Section
from tests.support.fabricated_study import study


def records_with(table, **values):
    return [
        record
        for record in table.records
        if all(record[name] == value for name, value in values.items())
    ]


def test_each_person_is_tested_against_the_model_on_the_images_both_judged(fabricated):
    table = comparison_table(fabricated)
    model, lee = (
        next(row for row in fabricated.rows if row.name == name)
        for name in ("light", "lee")
    )
    (record,) = records_with(table, person="lee", measure="accuracy", test="McNemar")
    truth = fabricated.malignant[lee.judgement_mask]
    expected = compare_rates(
        model.decisions[lee.judgement_mask],
        lee.decisions[lee.judgement_mask],
        truth,
        Measure.ACCURACY,
    )
    assert (record["n"], record["p_value"]) == (51, expected.p_value)
    assert record["other"] == (lee.decisions[lee.judgement_mask] == truth).mean()
    assert record["difference"] == record["model"] - record["other"]


def test_auc_is_compared_where_the_person_rates(fabricated):
    model, park = (
        next(row for row in fabricated.rows if row.name == name)
        for name in ("light", "park")
    )
    (record,) = records_with(comparison_table(fabricated), test="DeLong")
    assert record["person"] == "park"
    assert (
        record["p_value"]
        == delong_test(model.scores, park.scores, fabricated.malignant).p_value
    )


def test_gee_covers_sensitivity_and_specificity_with_intervals(fabricated):
    records = records_with(comparison_table(fabricated), test="GEE")
    assert [(record["person"], record["measure"]) for record in records] == [
        (person, rate)
        for person in ("kim", "lee", "park")
        for rate in ("sensitivity", "specificity")
    ]
    assert all(
        record["other_low"] < record["other"] < record["other_high"]
        for record in records
    )


def test_rows_stand_by_person_then_by_measure(fabricated):
    rows = [
        (row[0].text, row[1].text, row[2].text)
        for row in comparison_table(fabricated).rows
    ]
    assert rows[:5] == [
        ("kim", "sensitivity", "McNemar"),
        ("kim", "sensitivity", "GEE"),
        ("kim", "specificity", "McNemar"),
        ("kim", "specificity", "GEE"),
        ("kim", "accuracy", "McNemar"),
    ]


def test_without_people_there_is_nothing_to_compare():
    alone = study(people=False)
    assert comparison_table(alone).rows == agreement_table(alone).rows == ()
    assert comparison_table(study(rows=())).rows == ()


@pytest.mark.parametrize("image_count", [[0], [0, 1], [1, 2]])
def test_a_person_who_judged_next_to_nothing_breaks_nothing(fabricated, image_count):
    flags = np.isin(np.arange(len(fabricated.images)), image_count)
    person = Row(
        section=Section.READERS,
        name="rarely",
        facts={},
        decisions=flags,
        scores=flags * 1.0,
        risks=None,
        judgement_mask=flags,
    )
    model = next(row for row in fabricated.rows if row.section is Section.MODEL)
    barely = study(rows=(model, person))
    assert {record["person"] for record in comparison_table(barely).records} == {
        "rarely"
    }
    assert agreement_table(barely).rows[0][2].text == str(len(image_count))


def test_agreement_is_told_for_every_two_judges_and_for_all_people(fabricated):
    table = agreement_table(fabricated)
    assert [record["judges"] for record in table.records] == [
        "light and kim",
        "light and lee",
        "light and park",
        "kim and lee",
        "kim and park",
        "lee and park",
        "all people",
    ]
    kim, park = (
        next(row for row in fabricated.rows if row.name == name)
        for name in ("kim", "park")
    )
    assert table.records[4]["kappa"] == cohen_kappa(kim.decisions, park.decisions).value
    assert (table.records[-1]["kind"], table.records[-1]["n"]) == ("Fleiss", 51)
