import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import (
    ConstantScores,
    ScoresInvalid,
    SingleClass,
    roc_auc,
    roc_curve,
    youden_cutoff,
)

tied_cases = st.lists(
    st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40
).filter(lambda cases: len({label for _, label in cases}) == 2)


def columns(cases):
    return np.array([score for score, _ in cases], dtype=float), np.array(
        [label for _, label in cases]
    )


@settings(max_examples=50, deadline=None)
@given(tied_cases)
def test_the_area_is_scikit_learns_also_with_ties(cases):
    scores, labels = columns(cases)
    assert roc_auc(scores, labels) == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, scores), abs=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(tied_cases)
def test_the_curve_is_scikit_learns_with_every_point_kept(cases):
    scores, labels = columns(cases)
    curve = roc_curve(scores, labels)
    false_positive_rate, sensitivity, thresholds = sklearn.metrics.roc_curve(
        labels, scores, drop_intermediate=False
    )
    assert curve.false_positive_rate == pytest.approx(false_positive_rate)
    assert curve.sensitivity == pytest.approx(sensitivity)
    assert curve.thresholds == pytest.approx(thresholds)


@settings(max_examples=50, deadline=None)
@given(tied_cases)
def test_the_area_under_the_points_is_the_rank_statistic(cases):
    scores, labels = columns(cases)
    curve = roc_curve(scores, labels)
    assert np.trapezoid(curve.sensitivity, curve.false_positive_rate) == pytest.approx(
        roc_auc(scores, labels)
    )


@settings(max_examples=50, deadline=None)
@given(tied_cases)
def test_swapping_the_positive_class_mirrors_the_area(cases):
    scores, labels = columns(cases)
    assert roc_auc(scores, ~labels) == pytest.approx(1 - roc_auc(scores, labels))


def test_equal_scores_are_worth_a_half():
    assert roc_auc([0.3] * 5, [0, 1, 0, 1, 1]) == 0.5


def test_the_cutoff_lies_half_way_between_the_scores_it_parts():
    assert youden_cutoff([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1]) == pytest.approx(0.4)


def test_of_equally_good_cutoffs_the_most_sensitive_is_taken():
    # Above 3: 1 of 2 malignant, no benign. Above 1: both malignant, 1 of 2 benign.
    # Both cutoffs have J = 0.5.
    assert youden_cutoff([0, 2, 2, 4], [0, 0, 1, 1]) == pytest.approx(1.0)


def test_the_tie_rule_does_not_depend_on_the_order_of_cases():
    scores = np.array([0.0, 2, 2, 4, 4, 5])
    labels = np.array([0, 0, 1, 0, 1, 1])
    shuffles = (np.random.default_rng(seed).permutation(6) for seed in range(10))
    assert len({youden_cutoff(scores[order], labels[order]) for order in shuffles}) == 1


@settings(max_examples=50, deadline=None)
@given(tied_cases.filter(lambda cases: len({score for score, _ in cases}) > 1))
def test_no_score_lies_on_the_cutoff_and_none_parts_better(cases):
    scores, labels = columns(cases)
    cutoff = youden_cutoff(scores, labels)

    def youden(threshold):
        decisions = scores >= threshold
        return decisions[labels].mean() - decisions[~labels].mean()

    assert cutoff not in scores
    assert (
        youden(cutoff)
        >= max(youden(score) for score in set(scores) - {scores.min()}) - 1e-12
    )


def test_neighbouring_floats_are_still_parted():
    low = 0.5
    high = np.nextafter(low, 1)
    cutoff = youden_cutoff([low, high], [0, 1])
    assert low < cutoff <= high


def test_constant_scores_have_no_cutoff():
    with pytest.raises(ConstantScores, match="All 3 scores are equal"):
        youden_cutoff([1.0, 1.0, 1.0], [0, 1, 1])


def test_one_class_alone_is_named_with_the_next_step():
    with pytest.raises(SingleClass, match=r"3 malignant and 0 benign.*Add cases"):
        roc_auc([0.1, 0.2, 0.3], [1, 1, 1])


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.1, float("nan")], [0, 1]),
        ([0.1], [0, 1]),
        ([0.1, 0.2], [0, 2]),
        ([], []),
        ([[0.1, 0.2]], [[0, 1]]),
    ],
)
def test_scores_that_cannot_be_evaluated_are_refused(scores, labels):
    with pytest.raises(ScoresInvalid):
        roc_auc(scores, labels)
