import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import (
    ConformalCases,
    ProbabilityInvalid,
    ScoresInvalid,
    conformal_coverage,
)


def p_value(calibration, score):
    """Vovk's p-value: the share of calibration cases and the case itself that conform no better."""
    return (np.sum(calibration <= score) + 1) / (calibration.size + 1)


def draw(random, cases):
    labels = random.random(cases) < 0.3
    return 1 / (1 + np.exp(-(random.normal(size=cases) + 2 * labels - 1))), labels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_p_values_count_the_cases_of_the_class_that_are_at_least_as_strange(seed, tied):
    random = np.random.default_rng(seed)
    chances = random.random(50)
    labels = np.arange(50) % 4 == 0
    new = random.random(12)
    if tied:
        chances = chances.round(1)
        new = new.round(1)
    result = ConformalCases.from_scores(chances, labels).p_values(new)
    assert result[:, 1].tolist() == [p_value(chances[labels], chance) for chance in new]
    assert result[:, 0].tolist() == [
        p_value(-chances[~labels], -chance) for chance in new
    ]


def test_p_values_of_new_cases_err_as_often_as_they_say():
    random = np.random.default_rng(5)
    wrong = []
    for _ in range(200):
        cases = ConformalCases.from_scores(*draw(random, 100))
        chances, labels = draw(random, 200)
        result = cases.p_values(chances)
        wrong.append(
            [(result[~labels, 0] <= 0.1).mean(), (result[labels, 1] <= 0.1).mean()]
        )
    assert (np.mean(wrong, axis=0) < 0.105).all()
    assert np.mean(wrong, axis=0) == pytest.approx([0.1, 0.1], abs=0.03)


def test_coverage_tells_each_class_apart_with_counts_and_intervals():
    benign_p = [0.9, 0.3, 0.02, 0.5, 0.04]
    malignant_p = [0.01, 0.4, 0.7, 0.8, 0.03]
    (result,) = conformal_coverage(benign_p, malignant_p, [0, 0, 0, 1, 1], [0.1])
    assert (result.benign.coverage.successes, result.benign.cases) == (2, 3)
    assert (
        result.benign.single_sets,
        result.benign.double_sets,
        result.benign.empty_sets,
    ) == (2, 1, 0)
    assert (result.malignant.coverage.successes, result.malignant.empty_sets) == (1, 1)
    assert result.overall.referrals.successes == 3
    values = result.to_json()
    assert values["promised"] == pytest.approx(0.9)
    assert values["malignant"]["coverage"]["value"] == 0.5
    assert (
        0
        < values["malignant"]["coverage"]["low"]
        < 0.5
        < values["malignant"]["coverage"]["high"]
        < 1
    )
    assert values["all"]["mean_size"] == pytest.approx(1.2)


def test_a_class_without_cases_has_no_coverage():
    (result,) = conformal_coverage([0.9], [0.1], [0], [0.2])
    values = result.to_json()["malignant"]
    assert (values["coverage"]["value"], values["mean_size"]) == (None, None)
    assert (values["coverage"]["low"], values["coverage"]["high"]) == (0, 1)


@pytest.mark.parametrize(
    ("p_values", "alpha", "error"),
    [([0.0], 0.1, ProbabilityInvalid), ([0.5], 1.0, ProbabilityInvalid)],
)
def test_coverage_refuses_what_is_no_p_value_or_error_level(p_values, alpha, error):
    with pytest.raises(error):
        conformal_coverage(p_values, p_values, [0], [alpha])


def test_coverage_wants_a_p_value_for_each_label():
    with pytest.raises(ScoresInvalid):
        conformal_coverage([0.5], [0.5, 0.5], [0, 1], [0.1])
