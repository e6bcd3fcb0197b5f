import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statistics import (
    ConfusionTable,
    IntervalMethod,
    Measure,
    ScoresInvalid,
    logit_wald,
    wilson,
)

FACULTY_1 = ConfusionTable(tp=91, fn=9, fp=24, tn=26)


def test_the_rates_of_a_published_reader():
    assert FACULTY_1.accuracy == pytest.approx(0.78)
    assert FACULTY_1.sensitivity == pytest.approx(0.91)
    assert FACULTY_1.specificity == pytest.approx(0.52)
    assert FACULTY_1.ppv == pytest.approx(91 / 115)
    assert FACULTY_1.npv == pytest.approx(26 / 35)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_counts_are_scikit_learns_with_malignant_as_positive(cases):
    decisions, malignant = np.array(cases).T
    (tn, fp), (fn, tp) = sklearn.metrics.confusion_matrix(
        malignant, decisions, labels=[False, True]
    )
    assert ConfusionTable.from_decisions(decisions, malignant) == ConfusionTable(
        tp=tp, fn=fn, fp=fp, tn=tn
    )


def test_one_class_alone_can_be_counted():
    assert ConfusionTable.from_decisions([0, 1], [1, 1]).sensitivity == 0.5


def test_a_rate_without_cases_is_not_a_number():
    assert math.isnan(ConfusionTable(tp=3, fn=1, fp=0, tn=0).specificity)


def test_a_rates_interval_names_its_method():
    sensitivity = FACULTY_1.proportion(Measure.SENSITIVITY)
    assert sensitivity.interval(IntervalMethod.LOGIT_WALD) == logit_wald(91, 100)
    assert sensitivity.interval(IntervalMethod.WILSON) == wilson(91, 100)


def test_decisions_for_other_cases_are_refused():
    with pytest.raises(ScoresInvalid, match="2 decisions for 3 labels"):
        ConfusionTable.from_decisions([0, 1], [0, 1, 1])
