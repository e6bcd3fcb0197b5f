from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.observability.timings import collect_timings, measure


def test_stages_are_told_in_their_order_whether_they_succeed_or_fail():
    with collect_timings() as laps:
        with measure("fetch"):
            pass
        with pytest.raises(KeyError), measure("decode"):
            raise KeyError
    assert [each.name for each in laps] == ["fetch", "decode"]
    first, second = laps
    assert 0 <= first.seconds < 1
    assert first.began_ns <= first.ended_ns <= second.began_ns + 1_000_000


def test_those_of_another_thread_and_those_that_nobody_asks_for_are_left_out():
    with collect_timings() as laps, ThreadPoolExecutor(1) as pool:
        pool.submit(_stage).result()
    _stage()
    assert laps == []


def _stage() -> None:
    with measure("fetch"):
        pass
