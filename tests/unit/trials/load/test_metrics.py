import pytest

from tests.support.load_results import answered, case, samples, unanswered
from trials.load.clients import Fault
from trials.load.metrics import (
    Latency,
    by_hospital,
    codes,
    fairness,
    growth,
    histogram,
    jain,
)

MINUTES = 12 * 30
"""Samples, five seconds apart."""


def waiting(hospital: str, waits: list[float], first: int) -> list:
    return [
        answered(case(first + place, hospital), answered_s=wait)
        for place, wait in enumerate(waits)
    ]


def test_latencies_of_a_hundred_cases():
    found = Latency.from_seconds([number / 100 for number in range(1, 101)])
    assert (found.count, found.most) == (100, 1.0)
    assert (found.p50, found.p95, found.p99) == pytest.approx((0.505, 0.9505, 0.9901))


def test_latencies_of_nothing_are_none():
    assert Latency.from_seconds([]) == Latency(0)


def test_a_hospital_is_told_of_by_what_it_sent_and_what_was_answered():
    sent = [*waiting("load-02", [1.0, 2.0, 3.0], 0), unanswered(case(9, "load-01"))]
    first, second = by_hospital(sent)
    assert (first.hospital, first.sent, first.submit.count, first.result.count) == (
        "load-01",
        1,
        1,
        0,
    )
    assert (second.hospital, second.sent, second.result.p50) == ("load-02", 3, 2.0)


def test_hospitals_that_wait_alike_are_treated_fairly():
    sent = waiting("load-01", [0.5] * 40, 0) + waiting("load-02", [0.5] * 20, 40)
    found = fairness(by_hospital(sent), Latency.from_seconds([0.5] * 60))
    assert (found.hospitals, found.jain, found.worst_median_ratio) == (
        2,
        pytest.approx(1.0),
        pytest.approx(1.0),
    )


def test_a_hospital_that_waits_long_is_named():
    sent = waiting("load-01", [0.5] * 100, 0) + waiting("load-02", [4.5] * 20, 100)
    found = fairness(by_hospital(sent), Latency.from_seconds([0.5] * 100 + [4.5] * 20))
    assert (found.worst_p95_hospital, found.worst_p95, found.worst_median_ratio) == (
        "load-02",
        4.5,
        pytest.approx(9),
    )
    assert found.jain == pytest.approx(0.61, abs=0.005)


def test_a_hospital_that_sends_more_than_its_share_is_told_of_apart_from_those_that_do_not():
    sent = (
        waiting("load-01", [9.0] * 60, 0)
        + waiting("load-02", [0.5] * 20, 60)
        + waiting("load-03", [0.7] * 25, 80)
    )
    found = fairness(by_hospital(sent), Latency.from_seconds([0.5]))
    assert (found.worst_p95_hospital, found.within) == ("load-01", 2)
    assert (found.within_p95_hospital, found.within_p95) == (
        "load-03",
        pytest.approx(0.7),
    )


def test_where_only_those_with_more_than_their_share_have_enough_cases_none_is_within():
    sent = (
        waiting("load-01", [1.0] * 40, 0)
        + waiting("load-02", [1.0] * 40, 40)
        + waiting("load-03", [1.0], 80)
    )
    found = fairness(by_hospital(sent), Latency.from_seconds([1.0]))
    assert (found.hospitals, found.within, found.within_p95_hospital) == (2, 0, "")


def test_hospitals_with_few_cases_are_not_compared():
    sent = waiting("load-01", [0.5] * 40, 0) + waiting("load-02", [9.0] * 19, 40)
    assert fairness(by_hospital(sent), Latency.from_seconds([0.5])) is None


def test_jains_index_at_its_ends():
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_what_fills_while_it_warms_up_is_flat():
    level = [200 + min(place, 100) for place in range(MINUTES)]
    (found,) = growth(samples({"api": level}))
    assert (found.grown_mib, found.flat, found.level_mib, found.most_mib) == (
        pytest.approx(0, abs=1e-6),
        True,
        300,
        300,
    )


def test_what_goes_on_growing_is_not():
    (found,) = growth(
        samples({"worker": [200 + 0.1 * place for place in range(MINUTES)]})
    )
    assert found.slope_mib_per_h == pytest.approx(72)
    assert found.grown_mib == pytest.approx(23.9, abs=0.1)
    assert not found.flat


def test_a_saw_about_a_level_is_flat():
    (found,) = growth(
        samples({"api": [200 + 15 * (place % 2) for place in range(MINUTES)]})
    )
    assert found.flat


def test_little_growth_of_much_and_of_little_is_flat():
    grown = growth(
        samples(
            {
                "small": [20 + 8 * place / MINUTES for place in range(MINUTES)],
                "large": [2000 + 100 * place / MINUTES for place in range(MINUTES)],
            }
        )
    )
    assert [item.flat for item in grown] == [True, True]


def test_only_what_is_there_to_the_end_is_judged():
    looks = samples({"api": [1.0] * 9, "worker": [1.0] * 9})
    del looks[-1].memory_mib["worker"]
    assert [item.child for item in growth(looks)] == ["api"]
    assert growth(looks[:2]) == []


def test_faults_are_counted_by_code():
    assert codes([Fault(1.0, "503"), Fault(2.0, "429"), Fault(3.0, "503")]) == {
        "429": 1,
        "503": 2,
    }


def test_a_histogram_holds_every_case_below_its_bound():
    bars = histogram([0.001, 0.1, 0.1, 0.11, 30.0])
    assert sum(count for _, count in bars) == 5
    assert bars[0] == (pytest.approx(0.001), 1)
    assert bars[1] == (pytest.approx(0.1), 2)
    assert bars[-1][0] >= 30.0
    assert histogram([]) == []
