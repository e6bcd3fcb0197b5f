import math

import numpy as np
import pytest

from shared.statistics import (
    ConfusionTable,
    IntervalMethod,
    Measure,
    ScoresInvalid,
    delong_interval,
    logit_wald,
    rates_by_site,
    roc_auc,
    wilson,
)

SITES = np.repeat(["Severance", "CHA", "Kyung Hee"], (60, 40, 3))


@pytest.fixture
def cases():
    random = np.random.default_rng(4)
    labels = random.random(SITES.size) < 0.5
    labels[-3:] = [False, False, True]
    return labels, random.normal(size=SITES.size) + labels


def test_each_site_has_the_figures_of_its_own_cases(cases):
    labels, scores = cases
    rows = rates_by_site(SITES, scores >= 0.5, labels, scores)
    assert [row.site for row in rows] == ["CHA", "Kyung Hee", "Severance"]
    for row in rows:
        at_site = row.site == SITES
        table = ConfusionTable.from_decisions(scores[at_site] >= 0.5, labels[at_site])
        assert row.table == table
        assert (row.cases, row.malignant) == (at_site.sum(), labels[at_site].sum())
        assert row.rates[Measure.SENSITIVITY].value == pytest.approx(table.sensitivity)
        assert row.rates[Measure.ACCURACY].total == at_site.sum()


def test_the_intervals_are_named(cases):
    labels, scores = cases
    rate = rates_by_site(SITES, scores >= 0.5, labels)[0].rates[Measure.SPECIFICITY]
    assert rate.intervals == {
        IntervalMethod.LOGIT_WALD: logit_wald(rate.successes, rate.total),
        IntervalMethod.WILSON: wilson(rate.successes, rate.total),
    }


def test_the_auc_has_delongs_interval_where_both_classes_have_two_cases(cases):
    labels, scores = cases
    cha, kyung_hee, _ = rates_by_site(SITES, scores >= 0.5, labels, scores, level=0.9)
    at_site = SITES == "CHA"
    assert cha.auc.value == pytest.approx(roc_auc(scores[at_site], labels[at_site]))
    assert cha.auc.interval == delong_interval(
        scores[at_site], labels[at_site], level=0.9
    )
    assert kyung_hee.auc is None


def test_a_site_with_benign_cases_only_has_no_sensitivity():
    (row,) = rates_by_site(["A", "A"], [0, 1], [0, 0])
    assert math.isnan(row.rates[Measure.SENSITIVITY].value)
    assert row.rates[Measure.SPECIFICITY].value == 0.5


def test_sites_of_other_cases_are_refused():
    with pytest.raises(ScoresInvalid, match="1 sites, 2 decisions"):
        rates_by_site(["A"], [0, 1], [0, 1])
