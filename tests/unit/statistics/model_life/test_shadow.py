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
    candidate = np.clip(live + random.normal(0.02, 0.1, CASES), 0, 1)

    def decided(scores):
        return np.where(
            scores > 0.6, "malignant", np.where(scores < 0.4, "benign", "refer")
        )

    return PairedPredictions(
        live_scores=live,
        scores=candidate,
        live_risks=live / 2,
        risks=candidate / 2,
        live_decisions=decided(live),
        decisions=decided(candidate),
        hospitals=np.where(np.arange(CASES) % 3 == 0, "north", "south"),
        made_at=[START + timedelta(hours=3 * hour) for hour in range(CASES)],
        malignant=np.where(np.arange(CASES) % 2 == 0, malignant, np.nan),
    )


def test_agreement_is_that_of_the_decisions(pairs):
    comparison = compare_models(pairs)
    same_decision = np.asarray(pairs.decisions) == pairs.live_decisions
    assert (comparison.agreement.cases, comparison.agreement.same) == (
        CASES,
        same_decision.sum(),
    )
    assert comparison.agreement.kappa == pytest.approx(
        cohen_kappa_score(pairs.live_decisions, pairs.decisions)
    )
    assert (
        comparison.agreement.kappa_low
        < comparison.agreement.kappa
        < comparison.agreement.kappa_high
    )
    assert (
        sum(comparison.decisions[decision][decision] for decision in DECISIONS)
        == same_decision.sum()
    )
    assert sum(sum(row.values()) for row in comparison.decisions.values()) == CASES


def test_the_aucs_are_compared_on_cases_with_outcomes_only(pairs):
    comparison = compare_models(pairs).outcomes
    has_outcome = np.isfinite(pairs.malignant)
    labels = pairs.malignant[has_outcome] == 1
    test = delong_test(
        pairs.scores[has_outcome], pairs.live_scores[has_outcome], labels
    )
    assert (comparison.cases, comparison.malignant) == (has_outcome.sum(), labels.sum())
    assert (comparison.auc.difference, comparison.auc.p_value) == (
        test.difference,
        test.p_value,
    )
    assert (comparison.auc.candidate, comparison.auc.live) == (
        test.auc_first,
        test.auc_second,
    )
    assert comparison.auc.low < comparison.auc.difference < comparison.auc.high


def test_sensitivity_is_of_the_cases_a_model_decided(pairs):
    comparison = compare_models(pairs).outcomes
    has_outcome = np.isfinite(pairs.malignant)
    sick = has_outcome & (pairs.malignant == 1)
    decided = pairs.decisions != "refer"
    assert comparison.candidate.sensitivity.of == (sick & decided).sum()
    assert (
        comparison.candidate.sensitivity.found
        == (sick & (pairs.decisions == "malignant")).sum()
    )
    assert comparison.candidate.referred == (has_outcome & ~decided).sum()
    assert (
        comparison.live.specificity.of
        == (
            has_outcome & (pairs.malignant == 0) & (pairs.live_decisions != "refer")
        ).sum()
    )


def test_each_hospital_and_each_week_has_its_own_cases(pairs):
    comparison = compare_models(pairs)
    assert [row.hospital for row in comparison.hospitals] == ["north", "south"]
    assert [row.monday for row in comparison.weeks] == [
        "2026-11-23",
        "2026-11-30",
        "2026-12-07",
    ]
    for rows in (comparison.hospitals, comparison.weeks):
        assert sum(row.agreement.cases for row in rows) == CASES
        assert sum(row.outcomes.cases for row in rows) == comparison.outcomes.cases
    assert comparison.weeks[-1].auc_so_far == comparison.outcomes.auc


def test_differences_are_the_candidates_less_the_live_ones(pairs):
    comparison = compare_models(pairs)
    gaps = pairs.scores - pairs.live_scores
    assert comparison.score_difference.mean == pytest.approx(gaps.mean())
    assert comparison.score_difference.sd == pytest.approx(gaps.std(ddof=1))
    assert comparison.score_difference.quantiles["0.5"] == pytest.approx(
        np.median(gaps)
    )
    assert comparison.risk_difference.mean == pytest.approx(gaps.mean() / 2)
    assert differences(np.array([0.25])).sd is None


def test_without_outcomes_nothing_is_said_of_who_is_right(pairs):
    comparison = compare_models(replace(pairs, malignant=np.full(CASES, np.nan)))
    assert (comparison.outcomes.cases, comparison.outcomes.auc) == (0, None)
    assert comparison.outcomes.live.sensitivity.value is None
    assert all(row.auc_so_far is None for row in comparison.weeks)


def test_one_decision_for_all_has_no_kappa(pairs):
    same_decision = np.full(CASES, "benign")
    comparison = compare_models(
        replace(pairs, live_decisions=same_decision, decisions=same_decision)
    ).agreement
    assert (comparison.share, comparison.kappa, comparison.kappa_low) == (1, None, None)


def single_case_pairs():
    return PairedPredictions(
        live_scores=[0.4],
        scores=[0.6],
        live_risks=[0.1],
        risks=[0.2],
        live_decisions=["benign"],
        decisions=["malignant"],
        hospitals=["north"],
        made_at=[START],
        malignant=[np.nan],
    )


def test_a_single_case_is_compared():
    comparison = compare_models(single_case_pairs())
    assert (comparison.agreement.cases, comparison.agreement.share) == (1, 0)


def test_without_a_case_there_is_no_comparison():
    no_cases = {field: [] for field in vars(single_case_pairs())}
    assert compare_models(PairedPredictions(**no_cases)) is None


@pytest.mark.parametrize(
    ("day", "begins"), [(22, "2026-11-16"), (23, "2026-11-23"), (29, "2026-11-23")]
)
def test_a_week_begins_on_monday(day, begins):
    assert monday(datetime(2026, 11, day, 23, 59, tzinfo=UTC)) == begins
