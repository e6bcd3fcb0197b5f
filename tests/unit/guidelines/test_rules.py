"""From a calibrated risk to FNA advice."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.results.fna import FnaOutcome
from shared.errors import InputError
from shared.guidelines import (
    DEFAULT_RULE,
    RULES,
    RiskInvalid,
    RuleUnknown,
    SizeInvalid,
    alternatives,
    recommend,
)

ACR = "risk-band/ACR-2017/1"
K2021 = "risk-band/K-TIRADS-2021/1"
K2016 = "risk-band/K-TIRADS-2016/1"
URGENCY = [FnaOutcome.NOT_DUE, FnaOutcome.CONSIDER, FnaOutcome.DUE]

risks = st.floats(0, 1)
sizes = st.floats(0.1, 80)
rules = st.sampled_from(sorted(RULES))


def just_below(number):
    return math.nextafter(number, -math.inf)


def just_above(number):
    return math.nextafter(number, math.inf)


@pytest.mark.parametrize(
    ("rule", "risk", "level"),
    [
        (ACR, 0.0, "TR2"),
        (ACR, just_below(0.02), "TR2"),
        (ACR, 0.02, "TR3"),
        (ACR, just_below(0.05), "TR3"),
        (ACR, 0.05, "TR4"),
        (ACR, 0.20, "TR4"),
        (ACR, just_above(0.20), "TR5"),
        (ACR, 1.0, "TR5"),
        (K2021, just_below(0.03), "K-TIRADS 2"),
        (K2021, 0.03, "K-TIRADS 3"),
        (K2021, just_below(0.10), "K-TIRADS 3"),
        (K2021, 0.10, "K-TIRADS 4"),
        (K2021, 0.40, "K-TIRADS 4"),
        (K2021, just_above(0.40), "K-TIRADS 5"),
        (K2021, 0.50, "K-TIRADS 5"),
        (K2021, 0.60, "K-TIRADS 5"),
        (K2016, just_below(0.03), "K-TIRADS 2"),
        (K2016, 0.03, "K-TIRADS 3"),
        (K2016, 0.10, "K-TIRADS 3"),
        (K2016, just_above(0.10), "K-TIRADS 4"),
        (K2016, 0.15, "K-TIRADS 4"),
        (K2016, 0.50, "K-TIRADS 4"),
        (K2016, 0.55, "K-TIRADS 5"),
    ],
)
def test_a_risk_falls_into_its_band_and_a_hole_belongs_to_the_higher_one(
    rule, risk, level
):
    assert recommend(risk, 12, rule).level == level


@pytest.mark.parametrize(
    ("rule", "risk", "size_mm", "outcome"),
    [
        (ACR, 0.01, 60, FnaOutcome.NOT_DUE),
        (ACR, 0.03, just_below(25), FnaOutcome.NOT_DUE),
        (ACR, 0.03, 25, FnaOutcome.DUE),
        (ACR, 0.10, just_below(15), FnaOutcome.NOT_DUE),
        (ACR, 0.10, 15, FnaOutcome.DUE),
        (ACR, 0.31, just_below(10), FnaOutcome.NOT_DUE),
        (ACR, 0.31, 10, FnaOutcome.DUE),
        (K2021, 0.01, 60, FnaOutcome.NOT_DUE),
        (K2021, 0.05, 20, FnaOutcome.NOT_DUE),
        (K2021, 0.05, just_above(20), FnaOutcome.DUE),
        (K2021, 0.20, 10, FnaOutcome.NOT_DUE),
        (K2021, 0.20, just_above(10), FnaOutcome.CONSIDER),
        (K2021, 0.20, 15, FnaOutcome.CONSIDER),
        (K2021, 0.20, just_above(15), FnaOutcome.DUE),
        (K2021, 0.70, just_below(5), FnaOutcome.NOT_DUE),
        (K2021, 0.70, 5, FnaOutcome.CONSIDER),
        (K2021, 0.70, 10, FnaOutcome.CONSIDER),
        (K2021, 0.70, just_above(10), FnaOutcome.DUE),
        (K2016, 0.01, 60, FnaOutcome.NOT_DUE),
        (K2016, 0.05, just_below(15), FnaOutcome.NOT_DUE),
        (K2016, 0.05, 15, FnaOutcome.DUE),
        (K2016, 0.30, just_below(10), FnaOutcome.NOT_DUE),
        (K2016, 0.30, 10, FnaOutcome.DUE),
        (K2016, 0.70, 10, FnaOutcome.DUE),
    ],
)
def test_the_threshold_itself_is_due_only_where_the_guideline_says_at_least(
    rule, risk, size_mm, outcome
):
    assert recommend(risk, size_mm, rule).outcome is outcome


@settings(max_examples=100, deadline=None)
@given(rules, risks, sizes, sizes)
def test_a_larger_nodule_never_needs_less(rule, risk, first, second):
    small, large = (
        URGENCY.index(recommend(risk, size, rule).outcome)
        for size in sorted([first, second])
    )
    assert small <= large


@settings(max_examples=100, deadline=None)
@given(rules, risks, risks, sizes)
def test_a_higher_risk_never_means_a_lower_level_or_less_to_do(
    rule, first, second, size_mm
):
    low, high = (recommend(risk, size_mm, rule) for risk in sorted([first, second]))
    assert low.level <= high.level  # names rise with the level
    assert URGENCY.index(low.outcome) <= URGENCY.index(high.outcome)


@settings(max_examples=100, deadline=None)
@given(rules, risks, sizes)
def test_the_shown_threshold_and_size_explain_the_advice(rule, risk, size_mm):
    advice = recommend(risk, size_mm, rule)
    if advice.threshold_mm is None:
        assert not advice.recommended
    elif advice.inclusive:
        assert advice.recommended is (advice.size_mm >= advice.threshold_mm)
    else:
        assert advice.recommended is (advice.size_mm > advice.threshold_mm)


@pytest.mark.parametrize(
    ("rule", "risk", "size_mm", "text"),
    [
        (
            ACR,
            0.31,
            14,
            "FNA recommended: 14.0 mm reaches the 10 mm threshold of TR5 (risk 31 %).",
        ),
        (
            ACR,
            0.03,
            15,
            "No FNA: 15.0 mm is below the 25 mm threshold of TR3 (risk 3 %); "
            "ultrasound again after 1, 3 and 5 years.",
        ),
        (ACR, 0.012, 30, "No FNA at any size: TR2 (risk 1.2 %)."),
        (
            K2021,
            0.05,
            20,
            "No FNA: 20.0 mm does not exceed the 20 mm threshold of K-TIRADS 3 (risk 5 %).",
        ),
        (
            K2021,
            0.05,
            21,
            "FNA recommended: 21.0 mm exceeds the 20 mm threshold of K-TIRADS 3 (risk 5 %).",
        ),
        (
            K2021,
            0.7,
            7,
            "FNA may be considered: 7.0 mm reaches the 5 mm from which K-TIRADS 5 (risk 70 %) "
            "leaves it to judgement.",
        ),
    ],
)
def test_one_sentence_says_what_to_do_and_why(rule, risk, size_mm, text):
    assert recommend(risk, size_mm, rule).text == text


def test_a_size_just_short_of_the_threshold_is_not_shown_rounded_up_to_it():
    assert "9.96 mm is below the 10 mm" in recommend(0.31, 9.96).text


@pytest.mark.parametrize(
    ("risk", "size_mm", "years"),
    [
        (0.03, just_below(15), ()),
        (0.03, 15, (1, 3, 5)),
        (0.03, 25, ()),
        (0.10, 10, (1, 2, 3, 5)),
        (0.31, just_below(5), ()),
        (0.31, 5, (1, 2, 3, 4, 5)),
        (0.01, 40, ()),
    ],
)
def test_acr_follows_up_what_it_does_not_biopsy(risk, size_mm, years):
    assert recommend(risk, size_mm, ACR).follow_up_years == years


def test_the_default_rule_is_acrs_and_names_its_source():
    advice = recommend(0.5, 12)
    assert advice.rule == DEFAULT_RULE == ACR
    assert "J Am Coll Radiol 14:587" in advice.source


def test_the_alternatives_are_all_other_rules():
    assert {advice.rule for advice in alternatives(0.12, 12, excluded_rule=K2021)} == {
        ACR,
        K2016,
    }


def test_guidelines_may_disagree_and_each_says_so_itself():
    assert not recommend(0.12, 12).recommended
    assert {advice.rule: advice.outcome for advice in alternatives(0.12, 12)} == {
        K2021: FnaOutcome.CONSIDER,
        K2016: FnaOutcome.DUE,
    }


def test_advice_travels_as_json():
    fields = json.loads(json.dumps(recommend(0.31, 14.0).to_json()))
    assert fields["recommended"] is True
    assert fields["consider"] is False
    assert (
        fields["rule"],
        fields["threshold_mm"],
        fields["size_mm"],
        fields["outcome"],
    ) == (
        ACR,
        10,
        14.0,
        "due",
    )


@pytest.mark.parametrize("size_mm", [0, -3, math.nan, math.inf, -math.inf])
def test_an_unusable_size_is_refused(size_mm):
    with pytest.raises(SizeInvalid, match="number above 0") as refusal:
        recommend(0.3, size_mm)
    assert isinstance(refusal.value, InputError)


@pytest.mark.parametrize("risk", [-0.01, 1.01, 31, math.nan])
def test_a_risk_outside_0_to_1_is_refused(risk):
    with pytest.raises(RiskInvalid):
        recommend(risk, 12)


def test_an_unknown_rule_is_answered_with_the_known_ones():
    with pytest.raises(RuleUnknown, match="risk-band/ACR-2017/1"):
        recommend(0.3, 12, "risk-band/ACR-2017/2")
