import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.monitoring.memory import AnswerCache


@pytest.fixture
def made():
    return []


def test_a_fresh_answer_is_computed_once_and_a_stale_one_again(made):
    cache = AnswerCache()
    for _ in range(3):
        assert (
            cache.get_or_make("drift", 60, lambda: made.append("drift") or len(made))
            == 1
        )
    assert (
        cache.get_or_make("quality", 60, lambda: made.append("quality") or len(made))
        == 2
    )
    for count in (3, 4):
        assert (
            cache.get_or_make("stale", 0, lambda: made.append("stale") or len(made))
            == count
        )


def test_simultaneous_callers_share_one_computation(made):
    cache = AnswerCache()
    asking = threading.Barrier(4)

    def ask(_):
        asking.wait()
        return cache.get_or_make("drift", 60, lambda: made.append(1) or len(made))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1] * 4


def test_a_failure_is_not_cached():
    cache = AnswerCache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("drift", 60, lambda: 1 / 0)
    assert cache.get_or_make("drift", 60, lambda: "measured") == "measured"


def test_the_least_recently_used_answer_is_evicted(made):
    cache = AnswerCache(max_entries=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, 60, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]
