from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from trials.load.arrivals import (
    SIZES,
    TWICE_SHARE,
    URGENT_SHARE,
    LoadPlan,
    schedule,
    shares,
    size_mm,
)

LOAD = LoadPlan(hospitals=50, rate=4.0, minutes=30.0, seed=1)


def test_the_same_seed_gives_the_same_cases_at_the_same_times_and_another_seed_others():
    assert schedule(LOAD) == schedule(LOAD)
    assert schedule(LOAD) != schedule(LoadPlan(50, 4.0, 30.0, seed=2))


def test_cases_come_in_order_and_within_the_time_at_about_the_rate():
    times = [arrival.at_s for arrival in schedule(LOAD)]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < LOAD.seconds
    assert len(times) == pytest.approx(
        LOAD.rate * LOAD.seconds, abs=4 * (LOAD.rate * LOAD.seconds) ** 0.5
    )


def test_gaps_are_those_of_a_poisson_process():
    gaps = np.array(
        [
            following.at_s - earlier.at_s
            for earlier, following in pairwise(schedule(LOAD))
        ]
    )
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert (gaps > gaps.mean()).mean() == pytest.approx(np.exp(-1), abs=0.02)


def test_shares_are_whole_and_skewed():
    assert sum(shares(50)) == pytest.approx(1)
    assert shares(50)[0] == pytest.approx(2 * shares(50)[1])
    assert shares(1) == [1.0]


def test_every_hospital_sends_by_its_share():
    count = Counter(arrival.planned.hospital for arrival in schedule(LOAD))
    assert set(count) == set(LOAD.names)
    total = sum(count.values())
    for name, share in zip(LOAD.names, shares(50), strict=True):
        assert count[name] == pytest.approx(
            share * total, abs=4 * (share * total) ** 0.5
        )


def test_some_are_urgent_and_some_are_sent_twice():
    planned = [arrival.planned for arrival in schedule(LOAD)]
    assert np.mean([item.urgent for item in planned]) == pytest.approx(
        URGENT_SHARE, abs=0.01
    )
    assert np.mean([item.twice for item in planned]) == pytest.approx(
        TWICE_SHARE, abs=0.01
    )


def test_no_two_cases_near_each_other_have_one_size_and_all_may_be_sent():
    sizes = [size_mm(number) for number in range(SIZES)]
    assert len(set(sizes)) == SIZES
    assert (min(sizes), max(sizes) < 300) == (5.0, True)
    assert size_mm(SIZES) == size_mm(0)


def test_names_sort_as_the_hospitals_rank():
    names = LoadPlan(120, 1.0, 1.0, 0).names
    assert names == sorted(names)
    assert LoadPlan(5, 1.0, 1.0, 0).names[0] == "load-01"
