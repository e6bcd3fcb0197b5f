import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from shared.statistics import fit_sigmoid, roc_auc
from shared.statistics.discrimination.clustered import clustered_areas
from shared.study.report.figures import leading_row
from shared.study.report.sites_out import sites_out_table
from shared.study.report.tables import csv_bytes
from shared.study.results import Row, Section, SitesOut, Study
from tests.support.fabricated_study import study


def left_out(fabricated: Study, problems: dict[str, str] | None = None) -> Study:
    """The study with a judgement of each site by the others; sites with problems have none."""
    problems = problems or {}
    random = np.random.default_rng(5)
    logits = random.normal(fabricated.malignant * 1.2 - 0.8, 1)
    logits += fabricated.sites == "north"
    risks = 1 / (1 + np.exp(-logits))
    judged = ~np.isin(fabricated.sites, list(problems))
    row = Row(
        section=Section.MODEL,
        name="light, fitted on the other sites",
        facts={},
        decisions=judged & (risks > 0.5),
        scores=np.where(judged, risks, np.nan),
        risks=np.where(judged, risks, np.nan),
        judgement_mask=judged,
    )
    return replace(fabricated, sites_out=SitesOut(row=row, problems=problems))


def read(value: Study) -> dict[str, dict[str, str]]:
    text = csv_bytes(sites_out_table(value)).decode()
    return {record["site"]: record for record in csv.DictReader(io.StringIO(text))}


def test_a_site_has_both_aucs_with_intervals_by_patient():
    example = left_out(study(120))
    at_north = example.sites == "north"
    record = read(example)["north"]
    for side, row in {
        "left_out": example.sites_out.row,
        "cross_validated": leading_row(example),
    }.items():
        areas = clustered_areas(
            row.scores[at_north],
            example.malignant[at_north],
            example.groups[at_north],
        )
        interval = areas.interval(0)
        assert float(record[f"{side}_auc"]) == pytest.approx(areas.values[0], rel=1e-5)
        assert float(record[f"{side}_auc_low"]) == pytest.approx(interval.low, rel=1e-5)
        assert float(record[f"{side}_auc_high"]) == pytest.approx(
            interval.high, rel=1e-5
        )


def test_sensitivity_and_specificity_count_the_decisions_of_the_left_out_site():
    example = left_out(study(120))
    at_south = example.sites == "south"
    decisions = example.sites_out.row.decisions[at_south]
    malignant = example.malignant[at_south]
    record = read(example)["south"]
    sensitivity = decisions[malignant].mean()
    specificity = (~decisions[~malignant]).mean()
    assert float(record["left_out_sensitivity"]) == pytest.approx(sensitivity, rel=1e-5)
    assert float(record["left_out_specificity"]) == pytest.approx(specificity, rel=1e-5)


def test_all_sites_together_compare_images_of_the_same_site_only():
    example = left_out(study(120))
    scores = example.sites_out.row.scores
    weighted_sum = 0.0
    total = 0
    for site in ("north", "south"):
        mask = example.sites == site
        malignant = example.malignant[mask]
        pairs = malignant.sum() * (~malignant).sum()
        weighted_sum += pairs * roc_auc(scores[mask], malignant)
        total += pairs
    record = read(example)["all sites"]
    assert float(record["left_out_auc"]) == pytest.approx(
        weighted_sum / total, rel=1e-5
    )
    pooled = roc_auc(scores, example.malignant)
    assert float(record["left_out_auc_pooled"]) == pytest.approx(pooled, rel=1e-5)
    assert pooled < weighted_sum / total
    assert int(record["n"]) == 120


def test_slope_and_intercept_are_those_of_the_outcome_on_the_risks_log_odds():
    example = left_out(study(120))
    at_north = example.sites == "north"
    risks = example.sites_out.row.risks[at_north]
    fit = fit_sigmoid(np.log(risks / (1 - risks)), example.malignant[at_north])
    record = read(example)["north"]
    assert float(record["left_out_slope"]) == pytest.approx(fit.slope, rel=1e-4)
    assert float(record["left_out_intercept"]) == pytest.approx(fit.intercept, rel=1e-4)


def test_a_site_of_one_class_has_a_rate_and_no_auc():
    example = study(120)
    sites = np.where(example.malignant, "cancers", "mixed")
    sites[:30] = "mixed"
    record = read(left_out(replace(example, sites=sites)))["cancers"]
    assert record["left_out_auc"] == record["left_out_slope"] == ""
    assert record["left_out_specificity"] == ""
    assert float(record["left_out_sensitivity"]) > 0


def test_a_site_that_could_not_be_judged_says_why():
    example = left_out(study(120), {"south": "The others have no benign patients."})
    table = sites_out_table(example)
    last_row = table.rows[-1]
    assert last_row[0].text == "south"
    assert last_row[0].notes == ("The others have no benign patients.",)
    assert len(last_row) == len(table.head)
    assert read(example)["south"]["problem"] == "The others have no benign patients."
    assert "all sites" not in read(example)


def test_fewer_than_two_sites_have_no_table():
    assert sites_out_table(study()).rows == ()
