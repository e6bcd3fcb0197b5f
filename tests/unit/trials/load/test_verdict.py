"""A load that could break no record would be of no use."""

from dataclasses import replace

import pytest

from trials.load.metrics import Fairness, Growth, Latency
from trials.load.verdict import Observations, rules
from trials.slo import Violations

OVERALL = Latency(1000, 0.5, 1.5, 2.0, 3.0, 0.6)
FAIR = Fairness(50, 0.97, 9.0, "load-01", 1.4, "load-01", 38, 2.9, "load-27")
FLAT = Growth("api", 200, 205, 3.0, 9.0)
GROWING = Growth("worker", 1000, 1100, 90.0, 270.0)
GOOD = Observations(1800.0, {}, Violations(), OVERALL, FAIR, [FLAT])


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
    assert (
        broken(replace(GOOD, overall=quick, fairness=replace(FAIR, within_p95=0.9)))
        == []
    )
    assert broken(
        replace(GOOD, overall=quick, fairness=replace(FAIR, within_p95=1.1))
    ) == ["fair"]


def test_a_sentence_says_who_and_by_how_much():
    values = [
        sentence
        for rule in rules(replace(GOOD, growth=[GROWING]))
        for sentence in rule.broken
    ]
    assert values == ["worker grew by 90.0 MiB over 1000"]


def test_what_cannot_be_seen_is_not_judged():
    assert unjudged(replace(GOOD, is_local=False, growth=[])) == [
        "flat memory",
        "none restarted",
    ]
    assert unjudged(replace(GOOD, seconds=120.0, growth=[GROWING])) == ["flat memory"]
    assert unjudged(replace(GOOD, fairness=None)) == ["fair"]
    assert unjudged(replace(GOOD, fairness=replace(FAIR, within=0))) == ["fair"]
