from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from shared.statistics import ConformalCases, VennAbers, interval_around


def fit(scores, labels) -> VennAbers:
    return VennAbers.from_cases(ConformalCases.from_scores(scores, labels))


def by_definition(scores, labels, score):
    """Isotonic regression of all calibration cases and the case, once of each class."""
    pair = []
    for label in (0, 1):
        regression = IsotonicRegression().fit([*scores, score], [*labels, label])
        pair.append(float(regression.predict([score])[0]))
    return pair


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_an_interval_is_that_of_the_definition(seed, tied):
    random = np.random.default_rng(seed)
    scores = random.random(40)
    labels = random.random(40) < scores
    labels[:2] = [False, True]
    new = np.array([0.0, *random.random(6), 1.0])
    if tied:
        scores = scores.round(1)
        new = new.round(1)
    expected = [by_definition(scores, labels, score) for score in new]
    np.testing.assert_allclose(fit(scores, labels).intervals(new), expected, atol=1e-9)


def test_no_cases_have_no_intervals():
    assert fit([0.2, 0.8], [False, True]).intervals([]).shape == (0, 2)


def simulate(seed: int, cases: int, repeats: int) -> tuple[Any, Any, Any]:
    """The true risks, p0 and p1 of one new case each for many small sets of known risks.

    The score is a distorted, noisy view of the risk, so the risk given the score is unlike it.
    """
    random = np.random.default_rng(seed)
    risks = []
    intervals = []
    for _ in range(repeats):
        risk = expit(random.normal(-1, 1.5, cases + 1))
        scores = risk**2 + random.normal(0, 0.1, cases + 1)
        labels = random.random(cases + 1) < risk
        if labels[:cases].all() or not labels[:cases].any():
            continue
        risks.append(risk[-1])
        intervals.append(fit(scores[:cases], labels[:cases]).intervals(scores[-1:])[0])
    low, high = np.array(intervals).T
    return np.array(risks), low, high


def test_the_value_of_the_true_class_is_calibrated_in_a_simulation_with_known_risks():
    """The guarantee: E[(class - p) g(p)] = 0 for the value p of the true class and any g.

    The expectation over the class is exact, because its probability, the risk, is known. Checked
    for the indicator of each fifth of the scale, within four standard errors.
    """
    risk, low, high = simulate(seed=1, cases=40, repeats=3000)
    for start in np.arange(0, 1, 0.2):
        end = start + 0.2 + 1e-9 * (start == 0.8)
        malignant = risk * (1 - high) * ((high >= start) & (high < end))
        benign = (1 - risk) * -low * ((low >= start) & (low < end))
        excess = malignant + benign
        error = excess.std() / np.sqrt(excess.size)
        assert abs(excess.mean()) <= 4 * error + 1e-12


def test_the_mean_risk_lies_between_the_means_of_the_ends():
    risk, low, high = simulate(seed=2, cases=30, repeats=1500)
    assert low.mean() < risk.mean() < high.mean()


def test_a_score_that_leaves_out_the_guarantee_is_noticed():
    """The same check fails for values that are not calibrated: those of a distorted risk."""
    risk, low, high = simulate(seed=3, cases=40, repeats=1500)
    malignant = risk * (1 - high**2)
    benign = (1 - risk) * -(low**2)
    excess = malignant + benign
    assert abs(excess.mean()) > 4 * excess.std() / np.sqrt(excess.size)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_fewer_cases_give_a_wider_interval(quantile):
    score = np.quantile(np.linspace(0.05, 0.95, 100), quantile)
    widths = []
    for cases in (20, 200, 2000):
        random = np.random.default_rng(4)
        means = []
        for _ in range(40):
            scores = random.random(cases)
            labels = random.random(cases) < scores
            labels[:2] = [False, True]
            low, high = fit(scores, labels).intervals([score])[0]
            means.append(high - low)
        widths.append(np.mean(means))
    assert widths[0] > widths[1] > widths[2]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_interval_always_contains_the_risk(risk, first, second):
    interval = (min(first, second), max(first, second))
    low, high = interval_around(risk, interval)
    assert low <= risk <= high
    assert low <= interval[0]
    assert interval[1] <= high
