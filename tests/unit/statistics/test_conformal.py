import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import ProbabilityInvalid, SingleClass, fit_conformal


def p_value(calibration, own):
    """Vovk's: the share of the calibration cases, and of the case itself, that conform no better."""
    return (np.sum(calibration <= own) + 1) / (calibration.size + 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95]))
def test_a_class_is_in_the_set_where_its_p_value_exceeds_the_error(seed, coverage):
    random = np.random.default_rng(seed)
    chances, labels = random.random(60), np.arange(60) % 3 == 0
    new = random.random(20)
    sets = fit_conformal(chances, labels, coverage).sets(new)
    error = 1 - coverage + 1e-9
    assert sets[:, 1].tolist() == [p_value(chances[labels], chance) > error for chance in new]
    assert sets[:, 0].tolist() == [p_value(1 - chances[~labels], 1 - chance) > error for chance in new]


def draw(random, cases):
    labels = random.random(cases) < 0.3
    return 1 / (1 + np.exp(-(random.normal(size=cases) + 2 * labels - 1))), labels


def test_each_class_is_covered_as_often_as_promised():
    random = np.random.default_rng(11)
    covered = []
    for _ in range(200):
        sets = fit_conformal(*draw(random, 100), coverage=0.9).sets
        chances, labels = draw(random, 200)
        held = sets(chances)
        covered.append([held[~labels, 0].mean(), held[labels, 1].mean()])
    assert np.mean(covered, axis=0) == pytest.approx([0.9, 0.9], abs=0.03)
    assert (np.mean(covered, axis=0) > 0.89).all()


def test_too_few_cases_of_a_class_admit_it_always():
    fitted = fit_conformal([0.1] * 30 + [0.9] * 5, [0] * 30 + [1] * 5, coverage=0.9)
    assert fitted.malignant_floor == 0
    assert fitted.sets([0.0, 1.0])[:, 1].all()


@pytest.mark.parametrize(("chances", "coverage"), [([0.2, 0.8], 1.0), ([0.2, 1.8], 0.9)])
def test_what_is_no_probability_is_refused(chances, coverage):
    with pytest.raises(ProbabilityInvalid):
        fit_conformal(chances, [0, 1], coverage)


def test_one_class_has_no_floor():
    with pytest.raises(SingleClass):
        fit_conformal([0.2, 0.3], [0, 0])
