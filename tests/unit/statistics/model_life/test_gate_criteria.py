import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from shared.statistics import delong_test, expected_calibration_error
from shared.statistics.model_life.gate_criteria import calibration_test, non_inferiority

MARGIN = 0.05


def paired_scores(random, cases, auc_first, auc_second, correlation=0.7):
    """Binormal scores of two readers on the same cases, half of them malignant, with these AUCs."""
    labels = np.arange(cases) % 2 == 0
    noise = random.multivariate_normal(
        [0, 0], [[1, correlation], [correlation, 1]], size=cases
    )
    separations = np.sqrt(2) * norm.ppf([auc_first, auc_second])
    first, second = (noise + labels[:, None] * separations).T
    return first, second, labels


def test_a_model_that_is_worse_by_just_the_margin_passes_as_often_as_the_significance_says():
    """Of 600 samples 5 % are expected; the binomial's 99.9 % interval is 2.3 % to 8.2 %."""
    random = np.random.default_rng(1)
    tests = [
        non_inferiority(
            *paired_scores(random, 200, 0.85, 0.90), MARGIN, significance=0.05
        ).is_shown
        for _ in range(600)
    ]
    assert 0.023 < np.mean(tests) < 0.082


def test_an_equally_good_model_passes_more_often_the_more_images_there_are():
    random = np.random.default_rng(2)
    power = {
        cases: np.mean(
            [
                non_inferiority(
                    *paired_scores(random, cases, 0.9, 0.9), MARGIN
                ).is_shown
                for _ in range(150)
            ]
        )
        for cases in (40, 160, 640)
    }
    assert power[40] < power[160] < power[640]
    assert power[640] > 0.95


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.01, 0.025, 0.05, 0.1]),
    st.floats(0.01, 0.2),
)
def test_the_interval_and_the_p_value_agree(seed, significance, margin):
    random = np.random.default_rng(seed)
    test = non_inferiority(*paired_scores(random, 40, 0.8, 0.8), margin, significance)
    assert test.is_shown == (test.p_value < significance)
    assert test.low <= test.difference <= test.high


def test_the_same_scores_are_no_worse_than_themselves():
    first, _, labels = paired_scores(np.random.default_rng(3), 40, 0.8, 0.8)
    test = non_inferiority(first, first, labels, MARGIN)
    assert (test.difference, test.standard_error, test.p_value, test.is_shown) == (
        0,
        0,
        0,
        True,
    )
    worse = non_inferiority(1 - labels, labels, labels, MARGIN)
    assert (worse.difference, worse.p_value, worse.is_shown) == (-1, 1, False)


def test_the_p_value_is_delongs_with_the_margin_added():
    """No difference and a margin of two standard errors give P of z = -2, as in a table."""
    first, second, labels = paired_scores(np.random.default_rng(4), 100, 0.85, 0.9)
    paired = delong_test(first, second, labels)
    margin = 2 * paired.standard_error - paired.difference
    assert non_inferiority(first, second, labels, margin).p_value == pytest.approx(
        0.02275, abs=1e-5
    )


def test_perfectly_calibrated_risks_are_found_off_as_rarely_as_chance_says():
    """Of 400 samples of 60 cases 5 % are expected; 99.9 % of counts lie between 1.9 % and 9.2 %."""
    random = np.random.default_rng(5)
    shifts = []
    for _ in range(400):
        risks = random.beta(1, 2, size=60)
        shifts.append(calibration_test(risks, random.random(60) < risks).p_value < 0.05)
    assert 0.019 < np.mean(shifts) < 0.092


def test_the_error_by_chance_falls_with_the_number_of_images_and_that_of_wrong_risks_stays():
    random = np.random.default_rng(6)
    tests = {}
    for cases in (30, 300, 3000):
        truth = random.beta(2, 2, size=cases)
        labels = random.random(cases) < truth
        overconfident = truth**3 / (truth**3 + (1 - truth) ** 3)
        tests[cases] = (
            calibration_test(truth, labels),
            calibration_test(overconfident, labels),
        )
    right, wrong = zip(*tests.values(), strict=True)
    assert right[0].by_chance > 2 * right[1].by_chance > 4 * right[2].by_chance
    assert wrong[2].error > 0.15
    assert wrong[2].p_value < 0.001
    assert all(test.by_chance < test.by_chance_high for test in (*right, *wrong))


def test_the_error_itself_is_the_expected_calibration_error_and_comes_out_the_same_again():
    random = np.random.default_rng(7)
    risks = random.random(50)
    labels = random.random(50) < 0.4
    test = calibration_test(risks, labels)
    assert test == calibration_test(risks, labels)
    assert test.error == expected_calibration_error(risks, labels)
