import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import contingency_tables

from shared.statistics import (
    Measure,
    MeasureUnpaired,
    ScoresInvalid,
    SingleClass,
    compare_rates,
    mcnemar,
)


def answers(both_correct, only_first, only_second, none_correct):
    first = np.repeat(
        [1, 1, 0, 0], (both_correct, only_first, only_second, none_correct)
    )
    second = np.repeat(
        [1, 0, 1, 0], (both_correct, only_first, only_second, none_correct)
    )
    return first, second


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 40), st.integers(0, 30))
def test_mcnemar_is_that_of_statsmodels(
    both_correct, only_first, only_second, none_correct
):
    test = mcnemar(*answers(both_correct, only_first, only_second, none_correct))
    table = [[both_correct, only_first], [only_second, none_correct]]
    expected = contingency_tables.mcnemar(table, exact=only_first + only_second < 25)
    assert test.exact == (only_first + only_second < 25)
    assert (test.only_first, test.only_second) == (only_first, only_second)
    if test.exact or only_first != only_second:
        assert (test.statistic, test.p_value) == pytest.approx(
            (expected.statistic, expected.pvalue)
        )
    else:
        assert (test.statistic, test.p_value) == (0.0, 1.0)


def test_a_published_example():
    """Approval of the prime minister in two surveys: 150 against 86.

    Source: Agresti, Categorical Data Analysis, 10.1.1.
    """
    test = mcnemar(*answers(794, 150, 86, 570))
    assert test.statistic == pytest.approx(63**2 / 236)
    assert test.p_value < 0.0001


def test_judges_without_a_discordant_case_do_not_differ():
    test = mcnemar([1, 0, 1], [1, 0, 1])
    assert (test.only_first, test.only_second, test.p_value, test.exact) == (
        0,
        0,
        1.0,
        True,
    )


CALLED_FIRST = [1, 1, 0, 0, 1, 0]
CALLED_SECOND = [1, 0, 0, 1, 1, 0]
LABELS = [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("measure", "only_first", "only_second"),
    [(Measure.SENSITIVITY, 1, 0), (Measure.SPECIFICITY, 1, 0), ("accuracy", 2, 0)],
)
def test_each_rate_looks_at_its_own_cases(measure, only_first, only_second):
    test = compare_rates(CALLED_FIRST, CALLED_SECOND, LABELS, measure)
    assert (test.only_first, test.only_second) == (only_first, only_second)


def test_predictive_values_are_not_paired():
    with pytest.raises(MeasureUnpaired, match="`ppv`"):
        compare_rates(CALLED_FIRST, CALLED_SECOND, LABELS, Measure.PPV)


def test_a_rate_without_cases_is_refused():
    with pytest.raises(SingleClass):
        compare_rates([1, 0], [1, 1], [1, 1], Measure.SPECIFICITY)


def test_other_cases_are_refused():
    with pytest.raises(ScoresInvalid, match="2 answers for 3 cases"):
        compare_rates([1, 0], [1, 0, 1], [1, 1, 0], Measure.ACCURACY)
