import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.monitoring.memory import AnswerCache

LIFETIME_S = 60.0


class Counter:
    """Counts how often an answer is computed; the answer is the count."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


def test_a_fresh_answer_is_computed_once_for_each_key():
    cache = AnswerCache()
    drift = Counter()
    quality = Counter()
    for _ in range(3):
        assert cache.get_or_make("drift", LIFETIME_S, drift) == 1
        assert cache.get_or_make("quality", LIFETIME_S, quality) == 1


def test_a_stale_answer_is_computed_again():
    cache = AnswerCache()
    drift = Counter()
    answers = [cache.get_or_make("drift", 0, drift) for _ in range(2)]
    assert answers == [1, 2]


def test_simultaneous_callers_share_one_computation():
    cache = AnswerCache()
    drift = Counter()
    start = threading.Barrier(4)

    def ask(_):
        start.wait()
        return cache.get_or_make("drift", LIFETIME_S, drift)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1] * 4


def test_a_failure_is_not_cached():
    cache = AnswerCache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("drift", LIFETIME_S, lambda: 1 / 0)
    assert cache.get_or_make("drift", LIFETIME_S, lambda: "measured") == "measured"


def test_the_least_recently_used_answer_is_evicted():
    computed = []
    cache = AnswerCache(max_entries=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, LIFETIME_S, lambda key=key: computed.append(key))
    assert computed == ["a", "b", "c", "b"]
