import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.monitoring.memory import AnswerCache


@pytest.fixture
def computed():
    return []


def test_a_fresh_answer_is_computed_once_and_a_stale_one_again(computed):
    cache = AnswerCache()
    for _ in range(3):
        assert (
            cache.get_or_make(
                "drift", 60, lambda: computed.append("drift") or len(computed)
            )
            == 1
        )
    assert (
        cache.get_or_make(
            "quality", 60, lambda: computed.append("quality") or len(computed)
        )
        == 2
    )
    for count in (3, 4):
        assert (
            cache.get_or_make(
                "stale", 0, lambda: computed.append("stale") or len(computed)
            )
            == count
        )


def test_simultaneous_callers_share_one_computation(computed):
    cache = AnswerCache()
    start = threading.Barrier(4)

    def ask(_):
        start.wait()
        return cache.get_or_make(
            "drift", 60, lambda: computed.append(1) or len(computed)
        )

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1] * 4


def test_a_failure_is_not_cached():
    cache = AnswerCache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("drift", 60, lambda: 1 / 0)
    assert cache.get_or_make("drift", 60, lambda: "measured") == "measured"


def test_the_least_recently_used_answer_is_evicted(computed):
    cache = AnswerCache(max_entries=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, 60, lambda key=key: computed.append(key))
    assert computed == ["a", "b", "c", "b"]
