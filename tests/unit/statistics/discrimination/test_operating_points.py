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
    cutoff = sensitivity_cutoff(scores, labels, target)
    assert cutoff.promised
    malignant = scores[labels]
    p_values = ConformalCases.from_scores(scores, labels).p_values(malignant)[:, 1]
    assert cutoff.cutoff == malignant[p_values > 1 - target + 1e-9].min()
    assert np.mean(scores[labels] >= cutoff.cutoff) >= target


def test_new_malignant_cases_reach_the_cutoff_as_often_as_promised():
    random = np.random.default_rng(3)
    sensitivities = []
    for _ in range(300):
        cutoff = sensitivity_cutoff(
            random.normal(size=60), np.arange(60) % 2, 0.9
        ).cutoff
        sensitivities.append(np.mean(random.normal(size=500) >= cutoff))
    assert 0.9 < np.mean(sensitivities) < 0.94


@pytest.mark.parametrize(("malignant", "promised"), [(18, False), (19, True)])
def test_a_high_sensitivity_is_promised_from_enough_malignant_cases_only(
    malignant, promised
):
    scores = np.arange(malignant + 5) / 100
    cutoff = sensitivity_cutoff(scores, np.arange(malignant + 5) >= 5, 0.95)
    assert (cutoff.cutoff, cutoff.promised) == (0.05, promised)


def test_a_target_outside_the_unit_interval_and_a_single_class_are_refused():
    with pytest.raises(ProbabilityInvalid):
        sensitivity_cutoff([0.1, 0.9], [0, 1], 1.0)
    with pytest.raises(SingleClass):
        sensitivity_cutoff([0.1, 0.9], [0, 0], 0.9)


@pytest.mark.parametrize(
    ("requested_target", "expected_target"),
    [(0.8, 0.8), (0.81, 0.9), (0.9, 0.9), (0.85 + 0.05, 0.9), (0.95, 0.9)],
)
def test_the_point_of_a_target_is_never_less_sensitive_where_one_is_as_sensitive(
    requested_target, expected_target
):
    points = [
        OperatingPoint(target, 1 - target, True, Proportion(1, 2), Proportion(1, 2))
        for target in (0.8, 0.9)
    ]
    assert select_operating_point(points, requested_target).target == expected_target


def test_a_point_tells_counts_and_intervals():
    point = OperatingPoint(
        0.9, 0.3, False, Proportion(9, 10), Proportion(0, 0)
    ).to_json()
    assert (point["target"], point["cutoff"], point["promised"]) == (0.9, 0.3, False)
    assert (
        point["sensitivity"]["value"],
        point["sensitivity"]["count"],
        point["sensitivity"]["of"],
    ) == (0.9, 9, 10)
    assert point["sensitivity"]["low"] < 0.9 < point["sensitivity"]["high"]
    assert point["specificity"]["value"] is None
