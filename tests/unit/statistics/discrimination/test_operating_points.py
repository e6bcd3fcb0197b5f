import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import (
    ConformalCases,
    OperatingPoint,
    ProbabilityInvalid,
    Proportion,
    SingleClass,
    select_operating_point,
    sensitivity_cutoff,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95]))
def test_the_cutoff_is_the_lowest_score_that_conforms_to_the_malignant_class(
    seed, target
):
    random = np.random.default_rng(seed)
    scores = random.random(120)
    labels = np.arange(120) % 3 == 0
    found = sensitivity_cutoff(scores, labels, target)
    assert found.promised
    malignant = scores[labels]
    p_values = ConformalCases.from_scores(scores, labels).p_values(malignant)[:, 1]
    assert found.cutoff == malignant[p_values > 1 - target + 1e-9].min()
    assert np.mean(scores[labels] >= found.cutoff) >= target


def test_new_malignant_cases_reach_the_cutoff_as_often_as_promised():
    random = np.random.default_rng(3)
    reached = []
    for _ in range(300):
        cutoff = sensitivity_cutoff(
            random.normal(size=60), np.arange(60) % 2, 0.9
        ).cutoff
        reached.append(np.mean(random.normal(size=500) >= cutoff))
    assert 0.9 < np.mean(reached) < 0.94


@pytest.mark.parametrize(("malignant", "promised"), [(18, False), (19, True)])
def test_a_high_sensitivity_is_promised_from_enough_malignant_cases_only(
    malignant, promised
):
    scores = np.arange(malignant + 5) / 100
    found = sensitivity_cutoff(scores, np.arange(malignant + 5) >= 5, 0.95)
    assert (found.cutoff, found.promised) == (0.05, promised)


def test_a_target_outside_the_unit_interval_and_a_single_class_are_refused():
    with pytest.raises(ProbabilityInvalid):
        sensitivity_cutoff([0.1, 0.9], [0, 1], 1.0)
    with pytest.raises(SingleClass):
        sensitivity_cutoff([0.1, 0.9], [0, 0], 0.9)


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0.8, 0.8), (0.81, 0.9), (0.9, 0.9), (0.85 + 0.05, 0.9), (0.95, 0.9)],
)
def test_the_point_of_a_target_is_never_less_sensitive_where_one_is_as_sensitive(
    asked, given
):
    points = [
        OperatingPoint(target, 1 - target, True, Proportion(1, 2), Proportion(1, 2))
        for target in (0.8, 0.9)
    ]
    assert select_operating_point(points, asked).target == given


def test_a_point_tells_counts_and_intervals():
    told = OperatingPoint(
        0.9, 0.3, False, Proportion(9, 10), Proportion(0, 0)
    ).to_json()
    assert (told["target"], told["cutoff"], told["promised"]) == (0.9, 0.3, False)
    assert (
        told["sensitivity"]["value"],
        told["sensitivity"]["count"],
        told["sensitivity"]["of"],
    ) == (0.9, 9, 10)
    assert told["sensitivity"]["low"] < 0.9 < told["sensitivity"]["high"]
    assert told["specificity"]["value"] is None
