import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.monitoring.memory import Memory


@pytest.fixture
def made():
    return []


def test_what_is_fresh_is_made_once_and_what_is_not_again(made):
    memory = Memory()
    for _ in range(3):
        assert (
            memory.recall("drift", 60, lambda: made.append("drift") or len(made)) == 1
        )
    assert (
        memory.recall("quality", 60, lambda: made.append("quality") or len(made)) == 2
    )
    assert memory.recall("drift", -1, lambda: made.append("drift") or len(made)) == 3


def test_who_asks_at_the_same_moment_waits_for_the_one_who_measures(made):
    memory = Memory()
    asking = threading.Barrier(4)

    def ask(_):
        asking.wait()
        return memory.recall("drift", 60, lambda: made.append(1) or len(made))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1] * 4


def test_a_failure_is_not_remembered():
    memory = Memory()
    with pytest.raises(ZeroDivisionError):
        memory.recall("drift", 60, lambda: 1 / 0)
    assert memory.recall("drift", 60, lambda: "measured") == "measured"


def test_it_keeps_only_so_many_and_forgets_what_was_asked_longest_ago(made):
    memory = Memory(most=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        memory.recall(key, 60, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]
