import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from shared.statistics import (
    ProbabilityInvalid,
    Sigmoid,
    SingleClass,
    brier_score,
    calibration_curve,
    expected_calibration_error,
    fit_sigmoid,
    observed_expected,
    shift_prior,
    wilson,
)

fractions = st.floats(0.001, 0.999)


def drawn(seed, cases=200, slope=2.0, intercept=-0.5):
    random = np.random.default_rng(seed)
    scores = random.normal(size=cases)
    return scores, random.random(cases) < expit(slope * scores + intercept)


def logistic_regression_on_platts_targets(scores, labels):
    positives = labels.sum()
    negatives = (~labels).sum()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.concatenate([scores, scores])[:, None]
    outcomes = np.repeat([1, 0], scores.size)
    weights = np.concatenate([targets, 1 - targets])
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        design, outcomes, sample_weight=weights
    )
    return model.coef_[0, 0], model.intercept_[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_sigmoid_is_logistic_regression_on_platts_targets(seed):
    scores, labels = drawn(seed)
    fitted = fit_sigmoid(scores, labels)
    assert (fitted.slope, fitted.intercept) == pytest.approx(
        logistic_regression_on_platts_targets(scores, labels), abs=1e-4
    )


def test_many_cases_give_back_the_sigmoid_they_were_drawn_from():
    fitted = fit_sigmoid(*drawn(seed=0, cases=50_000))
    assert (fitted.slope, fitted.intercept) == pytest.approx((2.0, -0.5), abs=0.06)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_the_unit_of_the_scores_does_not_matter(seed, unit, offset):
    scores, labels = drawn(seed, cases=60)
    moved = unit * (scores + offset)
    expected = fit_sigmoid(scores, labels).apply(scores)
    assert fit_sigmoid(moved, labels).apply(moved) == pytest.approx(expected, abs=1e-6)


def test_the_mean_probability_is_the_mean_target():
    scores, labels = drawn(seed=1)
    positives = labels.sum()
    total = labels.size
    negatives = total - positives
    target = (
        positives * (positives + 1) / (positives + 2) + negatives / (negatives + 2)
    ) / total
    assert fit_sigmoid(scores, labels).apply(scores).mean() == pytest.approx(target)


def test_separated_classes_keep_the_sigmoid_finite():
    fitted = fit_sigmoid(np.arange(20.0), np.arange(20) >= 10)
    low, high = fitted.apply([0, 19])
    assert 0 < low < 0.15
    assert 0.85 < high < 1


def test_an_outlier_does_not_upset_the_fit():
    scores, labels = drawn(seed=4)
    scores[0] = -1e4
    labels[0] = True
    probabilities = fit_sigmoid(scores, labels).apply(scores)
    assert np.isfinite(probabilities).all()


def test_constant_scores_give_the_base_rate():
    fitted = fit_sigmoid([0.1] * 4, [0, 0, 0, 1])
    assert fitted.slope == 0
    assert fitted.apply(0.1) == pytest.approx((3 * 1 / 5 + 2 / 3) / 4)


def test_a_sigmoid_needs_both_classes():
    with pytest.raises(SingleClass):
        fit_sigmoid([0.1, 0.2], [1, 1])


def test_applying_keeps_the_shape():
    assert Sigmoid(1.0, 0.0).apply(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    ("prevalence", "risk"), [(0.23, 0.23), (0.15, 0.15), (0.5, 0.5)]
)
def test_an_even_score_from_balanced_training_means_the_clinics_prevalence(
    prevalence, risk
):
    assert shift_prior(0.5, 0.5, prevalence) == pytest.approx(risk)


@settings(max_examples=50, deadline=None)
@given(fractions, fractions, fractions)
def test_shifting_there_and_back_changes_nothing(probability, first, second):
    assert shift_prior(
        shift_prior(probability, first, second), second, first
    ) == pytest.approx(probability)


@settings(max_examples=50, deadline=None)
@given(fractions, fractions, fractions, fractions)
def test_shifting_keeps_the_order_of_cases(a, b, first, second):
    low, high = shift_prior(sorted([a, b]), first, second)
    assert low <= high


def test_certainty_is_not_shifted():
    assert shift_prior([0.0, 1.0], 0.5, 0.2).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "arguments",
    [(50, 0.5, 0.2), (float("nan"), 0.5, 0.2), (0.5, 0.0, 0.2), (0.5, 0.5, 1.0)],
)
def test_percentages_and_impossible_prevalences_are_refused(arguments):
    with pytest.raises(ProbabilityInvalid):
        shift_prior(*arguments)


def test_brier_is_scikit_learns():
    scores, labels = drawn(seed=2)
    assert brier_score(expit(scores), labels) == pytest.approx(
        sklearn.metrics.brier_score_loss(labels, expit(scores))
    )


def test_calibration_error_of_two_bins_by_hand():
    # Bin 0.2-0.3: risk 0.25, rate 0.5, 2 cases; bin 0.9-1: risk 1, rate 1, 2 cases.
    assert expected_calibration_error(
        [0.25, 0.25, 1.0, 1.0], [0, 1, 1, 1]
    ) == pytest.approx(0.125)


def test_honest_risks_have_almost_no_calibration_error_and_overconfident_ones_do():
    scores, labels = drawn(seed=3, cases=20_000)
    assert expected_calibration_error(expit(2 * scores - 0.5), labels) < 0.015
    assert expected_calibration_error(expit(6 * scores - 1.5), labels) > 0.08


def test_the_curve_is_scikit_learns():
    scores, labels = drawn(seed=4, cases=300)
    observed, stated = sklearn.calibration.calibration_curve(
        labels, expit(scores), n_bins=7
    )
    curve = calibration_curve(expit(scores), labels, bins=7)
    assert [point.observed for point in curve] == pytest.approx(observed)
    assert [point.mean_probability for point in curve] == pytest.approx(stated)


def test_the_curve_counts_every_case_once_and_gives_wilsons_interval():
    scores, labels = drawn(seed=5, cases=300)
    curve = calibration_curve(expit(scores), labels, bins=5, level=0.9)
    assert sum(point.count for point in curve) == 300
    assert sum(point.malignant for point in curve) == labels.sum()
    for point in curve:
        assert point.low <= point.mean_probability <= point.high
        assert point.interval == wilson(point.malignant, point.count, 0.9)


def test_bins_without_a_case_are_left_out():
    curve = calibration_curve([0.05, 0.1, 1.0], [0, 1, 1])
    assert [(point.low, point.high, point.count) for point in curve] == [
        (0.0, 0.1, 1),
        (0.1, 0.2, 1),
        (0.9, 1.0, 1),
    ]


def test_the_curve_and_the_calibration_error_look_at_the_same_bins():
    scores, labels = drawn(seed=6)
    curve = calibration_curve(expit(scores), labels)
    gaps = [
        point.count * abs(point.mean_probability - point.observed) for point in curve
    ]
    assert expected_calibration_error(expit(scores), labels) == pytest.approx(
        sum(gaps) / labels.size
    )


def test_observed_over_expected_is_one_where_risks_sum_to_what_was_found():
    found = observed_expected([0.1, 0.4, 0.5, 1.0], [0, 1, 0, 1])
    assert (found.observed, found.expected, found.ratio) == (
        2,
        pytest.approx(2.0),
        pytest.approx(1.0),
    )
    rate = wilson(2, 4)
    assert (found.interval.low, found.interval.high) == (
        pytest.approx(2 * rate.low),
        pytest.approx(2 * rate.high),
    )


def test_risks_that_are_half_of_what_was_found_have_a_ratio_of_two_and_none_found_an_interval():
    assert observed_expected([0.25] * 40, [1, 0] * 20).ratio == pytest.approx(2.0)
    none = observed_expected([0.1] * 20, [0] * 20)
    assert (none.ratio, none.interval.low) == (0.0, 0.0)
    assert none.interval.high > 1
    with pytest.raises(ProbabilityInvalid):
        observed_expected([0.0, 0.0], [0, 1])
