import numpy as np
import pytest

from shared.statistics import ScoresInvalid, roc_curve
from shared.statistics.discrimination.roc_band import FALSE_POSITIVE_RATES, roc_band


def drawn(count=120, seed=0):
    random = np.random.default_rng(seed)
    labels = random.random(count) < 0.5
    return random.normal(size=count) + 1.2 * labels, labels


def test_the_curve_itself_runs_inside_its_band():
    scores, labels = drawn()
    band = roc_band(scores, labels, np.arange(120))
    curve = roc_curve(scores, labels)
    sensitivities = [
        curve.sensitivity[curve.false_positive_rate <= rate + 1e-9].max()
        for rate in FALSE_POSITIVE_RATES
    ]
    assert np.all(band.low <= sensitivities)
    assert np.all(band.high >= sensitivities)
    assert (band.low[-1], band.high[-1]) == (1, 1)
    assert 0.05 < (band.high - band.low)[5:20].mean() < 0.5


def test_classes_that_do_not_overlap_leave_no_room():
    band = roc_band([0, 1, 2, 3], [0, 0, 1, 1], ["a", "b", "c", "d"])
    assert (band.low.min(), band.high.max()) == (1, 1)


def test_images_of_the_same_patients_widen_it():
    scores, labels = drawn(60)
    alone = roc_band(scores, labels, np.arange(60))
    repeated_band = roc_band(
        np.repeat(scores, 4), np.repeat(labels, 4), np.repeat(np.arange(60), 4)
    )
    as_if = roc_band(np.repeat(scores, 4), np.repeat(labels, 4), np.arange(240))
    assert (repeated_band.high - repeated_band.low).mean() == pytest.approx(
        (alone.high - alone.low).mean()
    )
    assert (as_if.high - as_if.low).mean() < 0.7 * (
        repeated_band.high - repeated_band.low
    ).mean()


def test_equal_scores_are_one_step():
    band = roc_band([1.0] * 8, [0, 1] * 4, np.arange(8))
    assert set(band.high[:-1]) == {0.0}
    assert band.high[-1] == 1


def test_each_image_needs_a_patient():
    with pytest.raises(ScoresInvalid, match="2 clusters"):
        roc_band([0, 1, 2, 3], [0, 0, 1, 1], ["a", "b"])
