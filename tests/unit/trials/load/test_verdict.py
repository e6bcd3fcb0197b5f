"""Tests that a load can break each objective, and no other one with it."""

from dataclasses import replace

import pytest

from trials.load.metrics import Fairness, Growth, Latency
from trials.load.verdict import Observations, rules
from trials.slo import Violations

OVERALL = Latency(count=1000, p50=0.5, p95=1.5, p99=2.0, most=3.0, mean=0.6)
FAIR = Fairness(
    hospitals=50,
    jain=0.97,
    worst_p95=9.0,
    worst_p95_hospital="load-01",
    worst_median_ratio=1.4,
    worst_median_hospital="load-01",
    within=38,
    within_p95=2.9,
    within_p95_hospital="load-27",
)
FLAT = Growth(
    child="api", level_mib=200, most_mib=205, grown_mib=3.0, slope_mib_per_h=9.0
)
GROWING = Growth(
    child="worker", level_mib=1000, most_mib=1100, grown_mib=90.0, slope_mib_per_h=270.0
)
GOOD = Observations(
    seconds=1800.0,
    faults={},
    answers=Violations(),
    overall=OVERALL,
    fairness=FAIR,
    growth=[FLAT],
)


def broken(observations: Observations) -> list[str]:
    return [rule.name for rule in rules(observations) if rule.state == "broken"]


def unjudged(observations: Observations) -> list[str]:
    return [rule.name for rule in rules(observations) if rule.state == "not judged"]


def test_a_load_that_went_well_keeps_every_promise():
    assert {rule.state for rule in rules(GOOD)} == {"kept"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"faults": {"500": 1}}, "no 5xx"),
        ({"faults": {"503": 4}}, "no 5xx"),
        ({"faults": {"timeout": 1}}, "no silence"),
        ({"faults": {"connection-lost": 1}}, "no silence"),
        ({"answers": Violations(lost=("case 1",))}, "none lost"),
        ({"answers": Violations(double=("case 1",))}, "none double"),
        ({"answers": Violations(stuck=("case 1",))}, "none stuck"),
        ({"answers": Violations(wrong=("case 1",))}, "none mixed up"),
        ({"fairness": replace(FAIR, within_p95=3.1)}, "fair"),
        ({"growth": [FLAT, GROWING]}, "flat memory"),
        ({"restarted": {"worker": 30.0}}, "none restarted"),
    ],
)
def test_each_promise_can_be_broken_and_no_other_is_with_it(change, name):
    assert broken(replace(GOOD, **change)) == [name]


def test_a_429_is_an_answer_that_breaks_nothing():
    assert broken(replace(GOOD, faults={"429": 40})) == []


def test_waits_under_a_second_are_not_unfair_however_they_differ():
    quick = replace(OVERALL, p95=0.2)
    below = replace(FAIR, within_p95=0.9)
    above = replace(FAIR, within_p95=1.1)
    assert broken(replace(GOOD, overall=quick, fairness=below)) == []
    assert broken(replace(GOOD, overall=quick, fairness=above)) == ["fair"]


def test_a_sentence_says_who_and_by_how_much():
    sentences = []
    for rule in rules(replace(GOOD, growth=[GROWING])):
        sentences += rule.broken
    assert sentences == ["worker grew by 90.0 MiB over 1000"]


def test_what_cannot_be_seen_is_not_judged():
    assert unjudged(replace(GOOD, is_local=False, growth=[])) == [
        "flat memory",
        "none restarted",
    ]
    assert unjudged(replace(GOOD, seconds=120.0, growth=[GROWING])) == ["flat memory"]
    assert unjudged(replace(GOOD, fairness=None)) == ["fair"]
    assert unjudged(replace(GOOD, fairness=replace(FAIR, within=0))) == ["fair"]
