import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from shared.statistics import roc_auc
from shared.statistics.discrimination.clustered import clustered_areas
from shared.study.report.site_candidates import baseline_warning, site_candidates_table
from shared.study.report.tables import csv_bytes
from shared.study.results import Candidate, Row, Section, SitesOut, Study
from tests.support.fabricated_study import study


def row_of(example: Study, skill: float, mask: np.ndarray | None = None) -> Row:
    """Scores that tell the classes apart by so many deviations."""
    random = np.random.default_rng(7)
    scores = random.normal(skill * example.malignant, 1)
    judged = np.ones(len(scores), bool) if mask is None else mask
    return Row(
        section=Section.MODEL,
        name="a model",
        facts={},
        decisions=judged & (scores > 0.5),
        scores=np.where(judged, scores, np.nan),
        risks=None,
        judgement_mask=judged,
    )


def with_skills(recipe: float, baseline: float, count: int = 240) -> Study:
    example = study(count)
    candidates = {Candidate.BASELINE: row_of(example, baseline)}
    sites_out = SitesOut(
        row=row_of(example, recipe), problems={}, candidates=candidates
    )
    return replace(example, sites_out=sites_out)


def read(value: Study) -> dict[str, dict[str, str]]:
    text = csv_bytes(site_candidates_table(value)).decode()
    return {record["site"]: record for record in csv.DictReader(io.StringIO(text))}


def test_each_model_has_its_auc_at_each_site_with_an_interval_by_patient():
    example = with_skills(recipe=1.0, baseline=0.5)
    record = read(example)["north"]
    at_north = example.sites == "north"
    baseline = example.sites_out.candidates[Candidate.BASELINE]
    areas = clustered_areas(
        baseline.scores[at_north], example.malignant[at_north], example.groups[at_north]
    )
    expected = (areas.values[0], areas.interval(0).low, areas.interval(0).high)
    for end, value in zip(("", "_low", "_high"), expected, strict=True):
        assert float(record[f"baseline_auc{end}"]) == pytest.approx(value, rel=1e-5)
    assert float(record["recipe_auc"]) > float(record["baseline_auc"])


def test_a_model_that_did_not_judge_a_site_has_no_auc_there_and_of_all_sites():
    example = with_skills(recipe=1.0, baseline=0.5)
    at_south = example.sites == "south"
    adapted = row_of(example, 1.5, mask=~at_south)
    candidates = {**example.sites_out.candidates, Candidate.ADAPTED: adapted}
    sites_out = replace(example.sites_out, candidates=candidates)
    records = read(replace(example, sites_out=sites_out))
    assert records["south"]["adapted_auc"] == records["all sites"]["adapted_auc"] == ""
    assert float(records["north"]["adapted_auc"]) > 0.5
    areas = []
    for mask in (at_south, ~at_south):
        scores = example.sites_out.row.scores[mask]
        areas.append(roc_auc(scores, example.malignant[mask]))
    expected = np.mean(areas)
    assert float(records["all sites"]["recipe_auc"]) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_recipe_that_is_worse_than_plain_averages_is_warned_of():
    warning = baseline_warning(with_skills(recipe=0.2, baseline=1.5))
    assert "worse than plain averages" in warning
    assert "chance" not in warning


def test_a_difference_that_chance_explains_says_so():
    assert "chance can explain it" in baseline_warning(
        with_skills(recipe=0.98, baseline=1.0, count=60)
    )


def test_a_recipe_that_is_better_is_not_warned_of():
    assert baseline_warning(with_skills(recipe=1.5, baseline=0.2)) is None
    assert baseline_warning(study()) is None


def test_there_is_no_table_without_another_model():
    example = with_skills(recipe=1.0, baseline=0.5)
    alone = replace(example.sites_out, candidates={})
    assert site_candidates_table(replace(example, sites_out=alone)).rows == ()
    assert site_candidates_table(study()).rows == ()
