import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_1samp, ks_2samp, norm

from shared.statistics import (
    DriftReferenceInvalid,
    DriftSampleInvalid,
    DriftState,
    components_drift,
    drift,
    quantile_bin_counts,
)

LEVELS = np.linspace(0, 1, 101)
NORMAL = np.concatenate([[-6.0], norm.ppf(LEVELS[1:-1]), [6.0]])


def known_psi(shift):
    """Over the deciles of N(0, 1), of N(shift, 1) against it."""
    edges = np.concatenate([[-np.inf], norm.ppf(np.linspace(0.1, 0.9, 9)), [np.inf]])
    shifted = np.diff(norm.cdf(edges - shift))
    return np.sum((shifted - 0.1) * np.log(shifted / 0.1))


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, -0.5, 1.0])
def test_a_known_shift_has_its_known_psi_and_distance(shift):
    values = norm.ppf((np.arange(20_000) + 0.5) / 20_000) + shift
    results = drift(quantile_bin_counts(values, NORMAL), NORMAL)
    assert results.stability.psi == pytest.approx(known_psi(shift), rel=0.02, abs=1e-4)
    assert results.ks.distance == pytest.approx(
        2 * norm.cdf(abs(shift) / 2) - 1, abs=0.003
    )
    assert known_psi(shift) <= shift**2 + 1e-12


def test_a_shift_up_and_the_same_shift_down_weigh_the_same():
    values = norm.ppf((np.arange(2_001) + 0.5) / 2_001)
    up, down = (
        drift(quantile_bin_counts(values + shift, NORMAL), NORMAL)
        for shift in (0.4, -0.4)
    )
    assert up.stability.psi == pytest.approx(down.stability.psi, rel=0.01)
    assert up.ks.distance == pytest.approx(down.ks.distance, abs=0.002)


def test_without_drift_false_alarms_are_as_rare_as_stated_and_p_values_err_upwards():
    random = np.random.default_rng(5)
    results = [
        drift(quantile_bin_counts(random.normal(size=80), NORMAL), NORMAL)
        for _ in range(1_000)
    ]
    states = [result.state for result in results]
    assert states.count(DriftState.OK) >= 940
    assert states.count(DriftState.ALARM) <= 15
    p_values = np.array([result.ks.p_value for result in results])
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p_values < level) <= level + 0.02


def test_a_reference_of_few_cases_widens_the_limits_as_its_own_chance_asks():
    random = np.random.default_rng(6)
    states = []
    for _ in range(400):
        table = np.quantile(random.normal(size=120), LEVELS)
        states.append(
            drift(
                quantile_bin_counts(random.normal(size=400), table),
                table,
                reference_cases=120,
            ).state
        )
    assert states.count(DriftState.OK) >= 370
    assert states.count(DriftState.ALARM) <= 8


def test_the_usual_limits_hold_once_there_are_cases_enough():
    values = norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    for shift, state in (
        (0.1, DriftState.OK),
        (0.4, DriftState.WATCH),
        (0.8, DriftState.ALARM),
    ):
        results = drift(quantile_bin_counts(values + shift, NORMAL), NORMAL).stability
        assert (results.watch_from, results.alarm_from, results.state) == (
            0.1,
            0.25,
            state,
        )


def test_fewer_than_fifty_cases_are_too_few_to_judge():
    for cases, is_too_few in ((49, True), (50, False)):
        results = drift(quantile_bin_counts(np.full(cases, 9.0), NORMAL), NORMAL)
        assert (results.state is DriftState.TOO_FEW) is is_too_few
    assert results.state is DriftState.ALARM
    assert np.isfinite(results.stability.psi)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 400))
def test_the_test_agrees_with_scipys_up_to_a_step_of_the_table(seed, cases):
    random = np.random.default_rng(seed)
    table = np.quantile(random.normal(size=501), LEVELS)
    values = random.normal(0.3, 1.1, cases)
    exact = ks_1samp(values, lambda x: np.interp(x, table, LEVELS))
    results = drift(quantile_bin_counts(values, table), table).ks
    assert results.distance <= exact.statistic + 1e-12
    assert results.p_value >= exact.pvalue - 1e-12
    assert (
        exact.statistic - results.distance
        <= 0.01 + np.max(quantile_bin_counts(values, table)) / cases
    )


def test_against_the_reference_cases_themselves_it_is_the_two_sample_test():
    random = np.random.default_rng(8)
    training = random.normal(size=2_001)
    values = random.normal(0.12, 1, 900)
    table = np.quantile(training, LEVELS)
    results = drift(quantile_bin_counts(values, table), table, 2_001).ks
    exact = ks_2samp(values, training, method="asymp")
    assert results.distance == pytest.approx(exact.statistic, abs=0.012)
    assert results.p_value == pytest.approx(exact.pvalue, rel=1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=11, max_size=60).filter(
        lambda values: len(set(values)) > 1
    ),
    st.lists(st.integers(-2, 8), min_size=1, max_size=80),
)
def test_ties_are_counted_like_any_value(reference, values):
    table = np.sort(reference)
    steps = len(reference) - 1
    counts = quantile_bin_counts(values, table)
    assert counts.sum() == len(values)
    results = drift(counts, table)
    below = [
        abs(np.mean(np.array(values) < edge) - np.searchsorted(table, edge) / steps)
        for edge in np.unique(table)
    ]
    assert results.ks.distance == pytest.approx(max(below))
    assert 0 <= results.stability.psi < np.inf


def test_a_table_that_is_its_own_sample_shows_no_drift_though_most_of_it_is_one_value():
    table = np.concatenate([np.zeros(70), np.linspace(0, 1, 31)])
    values = np.repeat(table[:-1], 10)
    results = drift(quantile_bin_counts(values, table), table)
    assert results.stability.psi < 0.02
    assert results.ks.distance < 1e-12


def test_of_several_components_the_worst_counts_and_looking_often_costs():
    random = np.random.default_rng(9)
    values = random.normal([0, 0, 0.8, 0], size=(400, 4))
    counts = [quantile_bin_counts(column, NORMAL) for column in values.T]
    together = components_drift(counts, [NORMAL] * 4)
    alone = drift(counts[2], NORMAL)
    assert (together.component, together.state) == (2, DriftState.ALARM)
    assert together.stability.psi == alone.stability.psi
    assert together.ks.p_value == pytest.approx(4 * alone.ks.p_value)
    is_too_few = [quantile_bin_counts(column[:60], NORMAL) for column in values.T]
    assert (
        components_drift(is_too_few, [NORMAL] * 4).stability.watch_from
        > drift(is_too_few[2], NORMAL).stability.watch_from
    )


def test_many_components_without_drift_raise_no_more_alarms_than_one():
    random = np.random.default_rng(10)
    tables = [NORMAL] * 8
    states = [
        components_drift(
            [
                quantile_bin_counts(column, NORMAL)
                for column in random.normal(size=(8, 80))
            ],
            tables,
        ).state
        for _ in range(150)
    ]
    assert states.count(DriftState.OK) >= 138


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [np.inf], [[1.0]]])
def test_values_that_are_none_are_refused(values):
    with pytest.raises(DriftSampleInvalid):
        quantile_bin_counts(values, NORMAL)


@pytest.mark.parametrize(
    "counts", [np.zeros(102, int), np.ones(101, int), np.ones(102), -np.ones(102, int)]
)
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(DriftSampleInvalid):
        drift(counts, NORMAL)


@pytest.mark.parametrize(
    "reference",
    [
        [],
        [1.0] * 101,
        NORMAL[::-1],
        [*NORMAL[:-1], np.nan],
        LEVELS[:10],
        ["low"] * 20,
        None,
        [[1.0, 2.0]] * 20,
    ],
)
def test_a_reference_that_is_none_is_refused(reference):
    with pytest.raises(DriftReferenceInvalid):
        quantile_bin_counts([0.5], reference)


def test_components_without_their_reference_are_refused():
    with pytest.raises(DriftReferenceInvalid, match="1 components, the values 0"):
        components_drift([], [NORMAL])
