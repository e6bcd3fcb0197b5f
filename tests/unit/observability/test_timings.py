from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.observability.timings import collect_timings, measure


def test_stages_are_collected_in_order_whether_they_succeed_or_fail():
    with collect_timings() as timings:
        with measure("fetch"):
            pass
        with pytest.raises(KeyError), measure("decode"):
            raise KeyError
    assert [timing.name for timing in timings] == ["fetch", "decode"]
    first, second = timings
    assert 0 <= first.seconds < 1
    assert first.began_ns <= first.ended_ns <= second.began_ns + 1_000_000


def test_stages_of_another_thread_and_outside_the_block_are_left_out():
    with collect_timings() as timings, ThreadPoolExecutor(1) as pool:
        pool.submit(run_stage).result()
    run_stage()
    assert timings == []


def run_stage() -> None:
    with measure("fetch"):
        pass
