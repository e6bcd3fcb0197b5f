import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.genmod.cov_struct import Exchangeable

from shared.statistics import (
    GeeNotConverged,
    JudgementsInvalid,
    gee_rates,
    logit_wald,
)


def readers(seed, judges=4, cases=90, missing=0.0):
    """Judges who find the same cases hard; NaN where one did not judge."""
    random = np.random.default_rng(seed)
    ease = random.normal(size=cases) + np.linspace(0.2, 1.3, judges)[:, None]
    correct = (ease + random.normal(size=(judges, cases)) > 0).astype(float)
    correct[random.random(correct.shape) < missing] = np.nan
    return correct


def by_statsmodels(correct, clusters=None):
    """Logits, covariance and correlation of the same regression.

    Its rows must be sorted by cluster.
    """
    case, judge = np.nonzero(~np.isnan(correct.T))
    model = sm.GEE(
        correct[judge, case],
        np.eye(len(correct))[judge],
        groups=case if clusters is None else clusters[case],
        family=sm.families.Binomial(),
        cov_struct=Exchangeable(),
    )
    fit = model.fit(maxiter=300, ctol=1e-12)
    return fit.params, fit.cov_params(), model.cov_struct.dep_params


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_that_of_statsmodels(seed, missing):
    correct = readers(seed, missing=missing)
    logits, covariance, correlation = by_statsmodels(correct)
    rates = gee_rates(correct)
    assert rates.logits == pytest.approx(logits, abs=1e-9)
    assert rates.covariance == pytest.approx(covariance, abs=1e-9)
    assert rates.correlation == pytest.approx(correlation, abs=1e-9)


def test_several_cases_of_one_patient_are_one_cluster():
    correct = readers(7, missing=0.2)
    patients = np.arange(90) // 3
    logits, covariance, _ = by_statsmodels(correct, patients)
    rates = gee_rates(correct, clusters=[f"patient {number:02}" for number in patients])
    assert rates.logits == pytest.approx(logits, abs=1e-9)
    assert rates.covariance == pytest.approx(covariance, abs=1e-9)


def test_intervals_and_comparisons_are_statsmodels_wald():
    correct = readers(5, missing=0.2)
    logits, covariance, _ = by_statsmodels(correct)
    rates = gee_rates(correct)
    error = math.sqrt(covariance[1, 1])
    ends = [
        1 / (1 + math.exp(-(logits[1] + side * 1.959964 * error))) for side in (-1, 1)
    ]
    assert (rates.rates[1].interval.low, rates.rates[1].interval.high) == pytest.approx(
        ends, abs=1e-6
    )
    z = (logits[0] - logits[3]) / math.sqrt(
        covariance[0, 0] + covariance[3, 3] - 2 * covariance[0, 3]
    )
    test = rates.compare(0, 3)
    assert test.z == pytest.approx(z, abs=1e-6)
    assert test.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))
    assert test.difference == pytest.approx(rates.rates[0].value - rates.rates[3].value)


def test_answers_that_are_not_judged_do_not_count():
    correct = readers(2)
    blind = np.random.default_rng(8).random((4, 90)) < 0.2
    masked = gee_rates(correct, judgement_mask=~blind)
    assert masked.logits == pytest.approx(
        gee_rates(np.where(blind, np.nan, correct)).logits
    )


@pytest.mark.parametrize("seed", range(3))
def test_where_all_judge_all_each_interval_is_that_of_the_counts(seed):
    """Whatever the correlation: the estimating equations of complete readings are solved by the
    counts alone.

    L19 prints two different intervals for two readers with 63 of 100 each, so its clusters were
    not single images, or readings were missing; neither is published.
    """
    rates = gee_rates(readers(seed)).rates
    for rate in rates:
        counts = logit_wald(rate.correct, rate.answers)
        assert rate.value == pytest.approx(rate.correct / 90)
        assert (rate.interval.low, rate.interval.high) == pytest.approx(
            (counts.low, counts.high)
        )


def test_patients_with_several_images_part_readers_with_equal_counts():
    alternating = np.tile([1, 0], 50)
    in_blocks = np.repeat([1, 0], 50)
    spread, clustered = gee_rates(
        [alternating, in_blocks], clusters=np.arange(100) // 2
    ).rates
    assert spread.correct == clustered.correct
    assert spread.interval.high < clustered.interval.high


def test_pairing_finds_a_difference_that_counts_alone_would_not():
    first = np.array([1] * 90 + [0] * 10)
    second = np.array([1] * 80 + [0] * 20)
    paired = gee_rates([first, second]).compare(0, 1)
    unpaired = math.sqrt(sum(1 / n for n in (90, 10, 80, 20)))
    assert paired.log_odds_ratio == pytest.approx(math.log(9 / 4))
    assert paired.standard_error < unpaired
    assert paired.p_value < 0.01


def test_a_perfect_judge_takes_the_interval_of_the_counts_and_stands_alone():
    rates = gee_rates([[1] * 20, [1] * 15 + [0] * 5, [0] * 20])
    assert [rate.value for rate in rates.rates] == [1.0, pytest.approx(0.75), 0.0]
    assert rates.rates[0].interval == logit_wald(20, 20)
    assert rates.rates[2].interval == logit_wald(0, 20)
    assert rates.covariance[0, 1] == 0
    assert rates.compare(0, 1).log_odds_ratio == pytest.approx(math.log(20.5 / 0.5 / 3))
    assert 0 < rates.compare(0, 1).p_value < 1


def test_only_perfect_judges_do_not_differ():
    test = gee_rates(np.ones((2, 12))).compare(0, 1)
    assert (test.difference, test.z, test.p_value) == (0.0, 0.0, 1.0)


def test_judges_who_answer_alike_do_not_differ():
    test = gee_rates([readers(1)[0]] * 2).compare(0, 1)
    assert (test.difference, test.z, test.p_value) == (0.0, 0.0, 1.0)


def test_one_judge_is_the_counts():
    rate = gee_rates([[1, 1, 1, 0]]).rates[0]
    assert (rate.value, rate.correct, rate.answers) == (pytest.approx(0.75), 3, 4)


@pytest.mark.parametrize(
    ("correct", "options", "problem"),
    [
        ([1, 0, 1], {}, "shape"),
        ([[1, 2], [0, 1]], {}, "neither 0 nor 1"),
        ([[np.nan, np.nan], [0, 1]], {}, "no case"),
        ([[1, 0], [0, 1]], {"judgement_mask": [[True], [True]]}, "the mask"),
        ([[1, 0], [0, 1]], {"clusters": [1]}, "clusters"),
    ],
)
def test_judgements_that_make_no_table_are_named(correct, options, problem):
    with pytest.raises(JudgementsInvalid, match=problem):
        gee_rates(correct, **options)


def test_any_small_table_gives_rates_or_a_named_refusal():
    random = np.random.default_rng(0)
    for _ in range(300):
        correct = random.integers(0, 2, (3, 6)).astype(float)
        correct[random.random(correct.shape) < 0.5] = np.nan
        try:
            rates = gee_rates(correct)
        except (JudgementsInvalid, GeeNotConverged):
            continue
        assert np.isfinite(rates.covariance).all()
        assert all(
            0 <= r.interval.low <= r.value <= r.interval.high <= 1 for r in rates.rates
        )
