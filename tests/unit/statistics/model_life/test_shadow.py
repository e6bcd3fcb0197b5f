from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from shared.statistics import delong_test
from shared.statistics.model_life.shadow import (
    DECISIONS,
    PairedPredictions,
    compare_models,
    differences,
    monday,
)

CASES = 120
START = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def pairs():
    random = np.random.default_rng(3)
    malignant = (random.random(CASES) < 0.4).astype(float)
    live = np.clip(0.5 + (malignant - 0.5) * 0.5 + random.normal(0, 0.2, CASES), 0, 1)
    ours = np.clip(live + random.normal(0.02, 0.1, CASES), 0, 1)

    def decided(scores):
        return np.where(
            scores > 0.6, "malignant", np.where(scores < 0.4, "benign", "refer")
        )

    return PairedPredictions(
        live_scores=live,
        scores=ours,
        live_risks=live / 2,
        risks=ours / 2,
        live_decisions=decided(live),
        decisions=decided(ours),
        hospitals=np.where(np.arange(CASES) % 3 == 0, "north", "south"),
        made_at=[START + timedelta(hours=3 * hour) for hour in range(CASES)],
        malignant=np.where(np.arange(CASES) % 2 == 0, malignant, np.nan),
    )


def test_agreement_is_that_of_the_decisions(pairs):
    found = compare_models(pairs)
    same = np.asarray(pairs.decisions) == pairs.live_decisions
    assert (found.agreement.cases, found.agreement.same) == (CASES, same.sum())
    assert found.agreement.kappa == pytest.approx(
        cohen_kappa_score(pairs.live_decisions, pairs.decisions)
    )
    assert (
        found.agreement.kappa_low < found.agreement.kappa < found.agreement.kappa_high
    )
    assert sum(found.decisions[each][each] for each in DECISIONS) == same.sum()
    assert sum(sum(row.values()) for row in found.decisions.values()) == CASES


def test_the_aucs_are_compared_on_cases_with_outcomes_only(pairs):
    found = compare_models(pairs).outcomes
    known = np.isfinite(pairs.malignant)
    labels = pairs.malignant[known] == 1
    test = delong_test(pairs.scores[known], pairs.live_scores[known], labels)
    assert (found.cases, found.malignant) == (known.sum(), labels.sum())
    assert (found.auc.difference, found.auc.p_value) == (test.difference, test.p_value)
    assert (found.auc.candidate, found.auc.live) == (test.auc_first, test.auc_second)
    assert found.auc.low < found.auc.difference < found.auc.high


def test_sensitivity_is_of_the_cases_a_model_decided(pairs):
    found = compare_models(pairs).outcomes
    known = np.isfinite(pairs.malignant)
    sick = known & (pairs.malignant == 1)
    decided = pairs.decisions != "refer"
    assert found.candidate.sensitivity.of == (sick & decided).sum()
    assert (
        found.candidate.sensitivity.found
        == (sick & (pairs.decisions == "malignant")).sum()
    )
    assert found.candidate.referred == (known & ~decided).sum()
    assert (
        found.live.specificity.of
        == (known & (pairs.malignant == 0) & (pairs.live_decisions != "refer")).sum()
    )


def test_each_hospital_and_each_week_has_its_own_cases(pairs):
    found = compare_models(pairs)
    assert [row.hospital for row in found.hospitals] == ["north", "south"]
    assert [row.monday for row in found.weeks] == [
        "2026-11-23",
        "2026-11-30",
        "2026-12-07",
    ]
    for rows in (found.hospitals, found.weeks):
        assert sum(row.agreement.cases for row in rows) == CASES
        assert sum(row.outcomes.cases for row in rows) == found.outcomes.cases
    assert found.weeks[-1].auc_so_far == found.outcomes.auc


def test_differences_are_the_candidates_less_the_live_ones(pairs):
    found = compare_models(pairs)
    gaps = pairs.scores - pairs.live_scores
    assert found.score_difference.mean == pytest.approx(gaps.mean())
    assert found.score_difference.sd == pytest.approx(gaps.std(ddof=1))
    assert found.score_difference.quantiles["0.5"] == pytest.approx(np.median(gaps))
    assert found.risk_difference.mean == pytest.approx(gaps.mean() / 2)
    assert differences(np.array([0.25])).sd is None


def test_without_outcomes_nothing_is_said_of_who_is_right(pairs):
    found = compare_models(replace(pairs, malignant=np.full(CASES, np.nan)))
    assert (found.outcomes.cases, found.outcomes.auc) == (0, None)
    assert found.outcomes.live.sensitivity.value is None
    assert all(row.auc_so_far is None for row in found.weeks)


def test_one_decision_for_all_has_no_kappa(pairs):
    same = np.full(CASES, "benign")
    found = compare_models(
        replace(pairs, live_decisions=same, decisions=same)
    ).agreement
    assert (found.share, found.kappa, found.kappa_low) == (1, None, None)


def test_a_single_case_is_compared_and_none_is_not():
    one = PairedPredictions(
        [0.4],
        [0.6],
        [0.1],
        [0.2],
        ["benign"],
        ["malignant"],
        ["north"],
        [START],
        [np.nan],
    )
    found = compare_models(one)
    assert (found.agreement.cases, found.agreement.share) == (1, 0)
    assert compare_models(PairedPredictions([], [], [], [], [], [], [], [], [])) is None


@pytest.mark.parametrize(
    ("day", "begins"), [(22, "2026-11-16"), (23, "2026-11-23"), (29, "2026-11-23")]
)
def test_a_week_begins_on_monday(day, begins):
    assert monday(datetime(2026, 11, day, 23, 59, tzinfo=UTC)) == begins
