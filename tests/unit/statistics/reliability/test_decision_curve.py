import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Settings
from shared.statistics import (
    ProbabilityInvalid,
    ScoresInvalid,
    SingleClass,
    shift_prior,
)
from shared.statistics.reliability.decision_curve import (
    ASSUMED_PREVALENCE,
    THRESHOLDS,
    decision_curve,
    decision_curves,
)

RISKS = np.array([0.05, 0.15, 0.30, 0.60, 0.10, 0.40, 0.70, 0.90])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def drawn(count=200, seed=0):
    random = np.random.default_rng(seed)
    risks = random.random(count)
    return risks, random.random(count) < risks


def test_net_benefit_is_true_positives_minus_weighted_false_positives_by_hand():
    curve = decision_curve(
        RISKS,
        LABELS,
        np.arange(8),
        prevalence=0.5,
        thresholds=[0.05, 0.20, 0.50, 0.80],
    )
    # TP 4 3 2 1 and FP 4 2 1 0 of 8 cases, at odds of 1/19, 1/4, 1 and 4.
    expected = [4 / 8 - 4 / 8 / 19, 3 / 8 - 2 / 8 / 4, 2 / 8 - 1 / 8, 1 / 8]
    assert curve.net_benefit == pytest.approx(expected)
    assert curve.biopsy_all == pytest.approx([0.5 - 0.5 / 19, 0.375, 0, -1.5])


def test_another_prevalence_weighs_the_rates_by_hand():
    curve = decision_curve(
        RISKS, LABELS, np.arange(8), prevalence=0.1, thresholds=[0.20]
    )
    # Sensitivity 3/4, false positive rate 2/4, odds 1/4.
    assert curve.net_benefit == pytest.approx([0.1 * 0.75 - 0.9 * 0.5 * 0.25])
    assert curve.biopsy_all == pytest.approx([0.1 - 0.9 * 0.25])


@given(st.integers(0, 50), st.floats(0.02, 0.98))
def test_it_is_between_those_of_a_perfect_and_of_a_perverse_model(seed, prevalence):
    risks, labels = drawn(40, seed)
    labels[:2] = (True, False)
    curve = decision_curve(risks, labels, np.arange(40), prevalence=prevalence)
    worst = -(1 - prevalence) * THRESHOLDS / (1 - THRESHOLDS)
    for values in (curve.net_benefit, curve.low, curve.high):
        assert np.all(values <= prevalence + 1e-12)
        assert np.all(values >= worst - 1e-12)
    assert np.all(curve.low <= curve.high)


def test_a_model_that_biopsies_everybody_or_nobody_is_worth_as_much_as_that():
    labels = np.arange(40) % 4 == 0
    everybody = decision_curve(np.ones(40), labels, np.arange(40), prevalence=0.25)
    nobody = decision_curve(np.zeros(40), labels, np.arange(40), prevalence=0.25)
    for values in (everybody.net_benefit, everybody.low, everybody.high):
        assert values == pytest.approx(everybody.biopsy_all)
    assert not nobody.net_benefit.any()
    assert not everybody.is_superior.any()
    assert not nobody.is_superior.any()


def test_calibrated_risks_are_never_worth_less_than_everybody_and_nobody():
    risks, labels = drawn(20_000)
    curve = decision_curve(
        risks, labels, np.arange(20_000), prevalence=float(labels.mean())
    )
    assert np.all(curve.net_benefit >= curve.biopsy_all - 1e-3)
    assert np.all(curve.net_benefit >= 0)
    assert curve.is_superior[20:].all()


def test_a_needless_biopsy_costs_more_at_a_higher_threshold():
    risks, labels = drawn()
    curve = decision_curve(risks, labels, np.arange(200), prevalence=0.3)
    assert np.all(np.diff(curve.biopsy_all) < 0)
    assert curve.biopsy_all[THRESHOLDS == 0.30] == pytest.approx([0])


def test_the_interval_holds_the_value_and_covers_as_it_says():
    random = np.random.default_rng(5)
    truth_risks, truth_labels = drawn(200_000, seed=9)
    prevalence = float(truth_labels.mean())
    limits = [0.2, 0.5]
    truth = []
    for limit in limits:
        sensitivity = (truth_risks >= limit)[truth_labels].mean()
        false_positive_rate = (truth_risks >= limit)[~truth_labels].mean()
        odds = limit / (1 - limit)
        cost = (1 - prevalence) * false_positive_rate * odds
        truth.append(prevalence * sensitivity - cost)
    covered = []
    for _ in range(150):
        risks = random.random(150)
        labels = random.random(150) < risks
        curve = decision_curve(
            risks, labels, np.arange(150), prevalence=prevalence, thresholds=limits
        )
        assert np.all(curve.low <= curve.net_benefit)
        assert np.all(curve.net_benefit <= curve.high)
        covered.append((curve.low <= truth) & (truth <= curve.high))
    assert np.all(np.mean(covered, axis=0) > 0.87)


def test_images_of_the_same_patients_widen_it():
    risks, labels = drawn(60)
    alone = decision_curve(risks, labels, np.arange(60), prevalence=0.3)
    repeated = (np.repeat(risks, 4), np.repeat(labels, 4))
    by_patient = decision_curve(*repeated, np.repeat(np.arange(60), 4), prevalence=0.3)
    as_if = decision_curve(*repeated, np.arange(240), prevalence=0.3)
    width = (by_patient.high - by_patient.low).mean()
    assert width == pytest.approx((alone.high - alone.low).mean())
    assert (as_if.high - as_if.low).mean() < 0.7 * width


def test_both_curves_follow_bayes_at_their_own_prevalence():
    risks, labels = drawn()
    patients = np.arange(200)
    own, assumed = decision_curves(risks, labels, patients)
    assert own.prevalence == labels.mean()
    assert assumed.prevalence == ASSUMED_PREVALENCE
    carried = shift_prior(risks, labels.mean(), ASSUMED_PREVALENCE)
    expected = decision_curve(carried, labels, patients, prevalence=ASSUMED_PREVALENCE)
    assert np.array_equal(assumed.net_benefit, expected.net_benefit)
    true_positives = np.sum(labels & (risks >= 0.30)) / 200
    false_positives = np.sum(~labels & (risks >= 0.30)) / 200
    assert own.net_benefit[29] == pytest.approx(
        true_positives - false_positives * 0.3 / 0.7
    )


def test_the_assumed_prevalence_is_the_settings_default():
    assert Settings.model_fields["prevalence"].default == ASSUMED_PREVALENCE


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"risks": [-0.1, 0.5]}, ProbabilityInvalid),
        ({"risks": [0.1, np.nan]}, ScoresInvalid),
        ({"labels": [1, 1]}, SingleClass),
        ({"clusters": ["a"]}, ScoresInvalid),
        ({"prevalence": 1.0}, ProbabilityInvalid),
        ({"thresholds": [0.0]}, ProbabilityInvalid),
        ({"thresholds": [1.0]}, ProbabilityInvalid),
        ({"thresholds": []}, ProbabilityInvalid),
    ],
)
def test_what_is_no_case_is_refused(changes, error):
    arguments = {
        "risks": [0.2, 0.5],
        "labels": [0, 1],
        "clusters": ["a", "b"],
        "prevalence": 0.5,
    }
    with pytest.raises(error):
        decision_curve(**(arguments | changes))
