import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, to_table
from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_by_statsmodels

from shared.statistics import (
    Interval,
    RatingsInvalid,
    cohen_kappa,
    fleiss_kappa,
    landis_koch_label,
)

DIAGNOSES = np.array(
    [
        [4, 4, 4, 4, 4, 4],
        [2, 2, 2, 5, 5, 5],
        [2, 3, 3, 3, 3, 5],
        [5, 5, 5, 5, 5, 5],
        [2, 2, 2, 4, 4, 4],
        [1, 1, 3, 3, 3, 3],
        [3, 3, 3, 3, 5, 5],
        [1, 1, 3, 3, 3, 4],
        [1, 1, 4, 4, 4, 4],
        [5, 5, 5, 5, 5, 5],
        [1, 4, 4, 4, 4, 4],
        [1, 2, 4, 4, 4, 4],
        [2, 2, 2, 3, 3, 3],
        [1, 4, 4, 4, 4, 4],
        [2, 2, 4, 4, 4, 5],
        [3, 3, 3, 3, 3, 5],
        [1, 1, 1, 4, 5, 5],
        [1, 1, 1, 1, 1, 2],
        [2, 2, 4, 4, 4, 4],
        [1, 3, 3, 5, 5, 5],
        [5, 5, 5, 5, 5, 5],
        [2, 4, 4, 4, 4, 4],
        [2, 2, 4, 5, 5, 5],
        [1, 1, 4, 4, 4, 4],
        [1, 4, 4, 4, 4, 5],
        [2, 2, 2, 2, 2, 4],
        [1, 1, 1, 1, 5, 5],
        [2, 2, 4, 4, 4, 4],
        [1, 3, 3, 3, 3, 3],
        [5, 5, 5, 5, 5, 5],
    ]
)
"""Thirty patients, six psychiatrists, five diagnoses (Fleiss 1971, table 1)."""

ratings = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=60
).map(np.array)


@settings(max_examples=40, deadline=None)
@given(ratings, st.sampled_from([None, "linear", "quadratic"]))
def test_cohens_kappa_and_both_its_errors_are_the_references(pairs, weights):
    first, second = pairs.T
    found = cohen_kappa(first, second, weights, categories=range(4))
    if math.isnan(found.value):
        assert set(first) == set(second)
        assert len(set(first)) == 1
        return
    expected = sklearn.metrics.cohen_kappa_score(
        first, second, labels=range(4), weights=weights
    )
    assert found.value == pytest.approx(expected, abs=1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_statsmodels = cohens_kappa(to_table(pairs, 4)[0], wt=weights)
    assert found.standard_error**2 == pytest.approx(by_statsmodels.var_kappa, abs=1e-12)
    assert found.null_error**2 == pytest.approx(by_statsmodels.var_kappa0, abs=1e-12)


def test_without_named_categories_those_that_occur_are_ordered():
    pairs = np.array([[1, 1], [1, 2], [2, 5], [5, 5], [5, 2]])
    expected = sklearn.metrics.cohen_kappa_score(*pairs.T, weights="quadratic")
    assert cohen_kappa(*pairs.T, "quadratic").value == pytest.approx(expected)
    assert cohen_kappa(
        *pairs.T, "quadratic", categories=range(1, 6)
    ).value != pytest.approx(expected, abs=1e-3)


def test_names_and_flags_are_categories_too():
    first = [1, 0, 1, 1]
    second = [1, 0, 0, 1]
    named = cohen_kappa(
        ["malignant", "benign", "malignant", "malignant"],
        ["malignant", "benign", "benign", "malignant"],
    )
    assert (
        named
        == cohen_kappa(first, second)
        == cohen_kappa(np.array(first, bool), np.array(second, bool))
    )


def test_the_interval_is_the_estimate_with_its_error_either_way():
    found = cohen_kappa([1] * 40 + [0] * 60, [1] * 30 + [0] * 60 + [1] * 10)
    assert found.interval.low == pytest.approx(
        found.value - 1.959964 * found.standard_error
    )
    assert found.interval.high == pytest.approx(
        found.value + 1.959964 * found.standard_error
    )


def test_a_rater_of_one_category_agrees_as_chance_does():
    found = cohen_kappa([1, 1, 1, 1], [1, 1, 0, 0])
    assert (found.value, found.z, found.p_value) == (0.0, 0.0, 1.0)


def test_full_agreement_has_no_error():
    found = cohen_kappa([0, 1, 1, 0], [0, 1, 1, 0])
    assert (found.value, found.standard_error, found.interval) == (
        1.0,
        0.0,
        Interval(1.0, 1.0),
    )


@pytest.mark.parametrize(
    "found", [cohen_kappa([1, 1], [1, 1]), fleiss_kappa([[1, 1, 1], [1, 1, 1]])]
)
def test_one_category_alone_says_nothing(found):
    assert math.isnan(found.value)
    assert found.interval == Interval(-1.0, 1.0)


def test_fleiss_published_example():
    """kappa = 0.430 in Fleiss (1971); z = 17.65183 with the error of 1979, as R's irr has it."""
    found = fleiss_kappa(DIAGNOSES)
    assert found.value == pytest.approx(0.4302445, abs=5e-8)
    assert found.z == pytest.approx(17.65183, abs=5e-6)
    assert found.value == pytest.approx(
        fleiss_by_statsmodels(aggregate_raters(DIAGNOSES)[0])
    )


@pytest.mark.parametrize("seed", range(4))
def test_fleiss_error_is_close_to_the_jackknifes(seed):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, (120, 1))
    table = np.where(
        random.random((120, 4)) < 0.7, truth, random.integers(0, 3, (120, 4))
    )
    without_one = np.array(
        [fleiss_kappa(np.delete(table, case, axis=0)).value for case in range(120)]
    )
    jackknife = math.sqrt(119 * without_one.var())
    assert fleiss_kappa(table).standard_error == pytest.approx(jackknife, rel=0.02)


def test_raters_by_chance_are_seldom_told_from_chance():
    random = np.random.default_rng(3)
    drawn = (fleiss_kappa(random.integers(0, 3, (40, 3))) for _ in range(400))
    assert 0.02 < np.mean([kappa.p_value < 0.05 for kappa in drawn]) < 0.09


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (-0.1, "poor"),
        (0.0, "slight"),
        (0.2, "slight"),
        (0.21, "fair"),
        (0.41, "moderate"),
        (0.61, "substantial"),
        (0.81, "almost perfect"),
        (1.0, "almost perfect"),
        (math.nan, "undefined"),
    ],
)
def test_words_are_landis_and_kochs(value, label):
    assert landis_koch_label(value) == label


def test_ratings_that_cannot_agree_are_refused():
    with pytest.raises(RatingsInvalid, match="shapes"):
        cohen_kappa([1, 2], [1])
    with pytest.raises(RatingsInvalid, match="no category"):
        cohen_kappa([1, 2], [1, 9], categories=(1, 2))
    with pytest.raises(RatingsInvalid, match="missing"):
        fleiss_kappa([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(RatingsInvalid, match="shape"):
        fleiss_kappa([[1], [2]])
