import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shared.features.statistics import (
    Distribution,
    entropy,
    histogram_features,
    intensity_statistics,
)

samples = st.lists(st.integers(0, 255), min_size=2, max_size=80).map(
    lambda values: np.array(values, np.uint8)
)


@settings(max_examples=40)
@given(samples)
def test_statistics_agree_with_numpy_and_scipy(sample):
    features = intensity_statistics(Distribution.from_sample(sample))
    values = sample.astype(float)
    assert features["mean"] == pytest.approx(values.mean())
    assert features["var"] == pytest.approx(values.var())
    assert features["rms"] == pytest.approx(np.sqrt((values**2).mean()))
    assert [features["p10"], features["median"], features["p90"]] == pytest.approx(
        np.percentile(values, [10, 50, 90])
    )
    assert features["mad"] == pytest.approx(np.abs(values - values.mean()).mean())
    if values.var() > 0:
        assert features["skew"] == pytest.approx(stats.skew(values), abs=1e-9)
        assert features["kurt"] == pytest.approx(stats.kurtosis(values), abs=1e-9)


@settings(max_examples=20)
@given(samples)
def test_counted_and_sorted_samples_give_the_same(sample):
    assert intensity_statistics(Distribution.from_sample(sample)) == pytest.approx(
        intensity_statistics(Distribution.from_sample(sample.astype(float)))
    )


def test_a_constant_sample_has_no_spread_and_no_shape():
    features = intensity_statistics(Distribution.from_sample(np.full(9, 7, np.uint8)))
    assert features["mean"] == features["median"] == features["rms"] == 7
    assert all(
        features[name] == 0
        for name in ("var", "std", "skew", "kurt", "iqr", "mad", "rmad", "cov", "qcod")
    )


def test_black_has_ratios_of_zero():
    features = intensity_statistics(Distribution.from_sample(np.zeros(4, np.uint8)))
    assert set(features.values()) == {0.0}


def test_the_mode_nearest_to_the_mean_wins_a_tie():
    assert (
        histogram_features(np.array([1, 1, 3, 3, 4], np.uint16), levels=4)["mode"] == 3
    )


def test_one_grey_level_has_no_gradient():
    features = histogram_features(np.ones(5, np.uint16), levels=1)
    assert (features["max_grad"], features["max_grad_g"]) == (0, 1)


def test_entropy_of_a_fair_coin_is_one_bit():
    assert entropy(np.array([0.5, 0.5, 0.0])) == 1
