import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import (
    Interval,
    Scale,
    SingleClass,
    delong_interval,
    delong_test,
    roc_auc,
)


def readers(seed, cases=60, shift=1.0):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(cases) % 2 == 0)
    shared = random.normal(size=cases) + shift * labels
    return (
        shared + random.normal(size=cases),
        shared + random.normal(size=cases),
        labels,
    )


def kernel(scores, labels):
    """The matrix that defines the method: malignant (rows) above benign (columns), ties half."""
    gap = scores[labels][:, None] - scores[~labels][None, :]
    return (gap > 0) + 0.5 * (gap == 0)


def covariance_by_definition(first, second, labels):
    a = kernel(first, labels)
    b = kernel(second, labels)
    by_malignant = np.cov(a.mean(axis=1), b.mean(axis=1)) / labels.sum()
    by_benign = np.cov(a.mean(axis=0), b.mean(axis=0)) / (~labels).sum()
    return by_malignant + by_benign


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_the_paired_test_has_the_variance_of_the_definition(seed, rounded):
    first, second, labels = readers(seed)
    if rounded:
        first = first.round()
        second = second.round()
    test = delong_test(first, second, labels)
    covariance = covariance_by_definition(first, second, labels)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert test.difference == pytest.approx(
        roc_auc(first, labels) - roc_auc(second, labels)
    )
    assert test.standard_error == pytest.approx(math.sqrt(variance))
    assert test.p_value == pytest.approx(math.erfc(abs(test.z) / math.sqrt(2)))


def test_the_normal_interval_is_the_estimate_with_its_error_either_way():
    scores, _, labels = readers(seed=3)
    error = math.sqrt(covariance_by_definition(scores, scores, labels)[0, 0])
    interval = delong_interval(scores, labels, scale=Scale.NORMAL)
    assert interval.low == pytest.approx(roc_auc(scores, labels) - 1.959964 * error)
    assert interval.high == pytest.approx(roc_auc(scores, labels) + 1.959964 * error)


def test_the_logit_interval_is_symmetric_on_the_logit_scale():
    scores, _, labels = readers(seed=3)
    interval = delong_interval(scores, labels)
    logits = [
        math.log(p / (1 - p))
        for p in (interval.low, roc_auc(scores, labels), interval.high)
    ]
    assert logits[1] - logits[0] == pytest.approx(logits[2] - logits[1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(Scale))
def test_every_interval_holds_its_estimate_and_stays_inside_zero_to_one(seed, scale):
    scores, _, labels = readers(seed, cases=12, shift=2.0)
    interval = delong_interval(scores, labels, scale=scale)
    assert 0 <= interval.low <= roc_auc(scores, labels) <= interval.high <= 1


def test_the_interval_covers_the_true_area_about_as_often_as_it_says():
    truth = 0.76025  # P(X > Y) for normal scores one standard deviation apart: Phi(1 / sqrt 2)
    random = np.random.default_rng(7)
    labels = np.arange(80) % 2 == 0
    drawn = (
        delong_interval(random.normal(size=80) + labels, labels) for _ in range(400)
    )
    covered = np.mean([interval.low <= truth <= interval.high for interval in drawn])
    assert 0.92 <= covered <= 0.98


def test_a_reader_does_not_differ_from_itself():
    scores, _, labels = readers(seed=1)
    test = delong_test(scores, scores, labels)
    assert (test.difference, test.z, test.p_value) == (0.0, 0.0, 1.0)


def test_exchanging_the_readers_changes_the_sign_only():
    first, second, labels = readers(seed=2)
    forward = delong_test(first, second, labels)
    back = delong_test(second, first, labels)
    assert forward.z == pytest.approx(-back.z)
    assert forward.p_value == pytest.approx(back.p_value)


def test_perfect_against_perfectly_wrong_needs_no_variance():
    labels = np.array([0, 0, 1, 1])
    assert delong_test(labels, 1 - labels, labels).p_value == 0.0


def test_separated_classes_have_an_interval_of_no_width():
    assert delong_interval([1, 2, 3, 4], [0, 0, 1, 1]) == Interval(1.0, 1.0)


def test_one_case_of_a_class_has_no_variance():
    with pytest.raises(SingleClass, match="at least 2 of each"):
        delong_interval([1, 2, 3], [0, 0, 1])
