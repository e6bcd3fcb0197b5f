"""Which process gets which tests."""

from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace

import pytest

from tests.support.scheduling import BROWSER, STACK, ByGroup, group_of, shuffled

TESTS = (
    "tests/browser/test_case.py::test_a",
    "tests/browser/test_wall.py::test_b",
    "tests/e2e/test_kills.py::test_c",
    "tests/e2e/test_chaos.py::test_d",
    "tests/unit/test_one.py::test_e",
    "tests/unit/test_two.py::test_f",
)


@dataclass(eq=False)
class Worker:
    """What the scheduler knows of a worker process, and what it was told."""

    gateway: SimpleNamespace
    tests: list[str] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, places: list[int]) -> None:
        self.tests += [TESTS[place] for place in places]

    def shutdown(self) -> None:
        self.shutting_down = True


class Log:
    """Takes what the scheduler logs."""

    def __getattr__(self, name: str) -> "Log":
        return self

    def __call__(self, *words: object) -> None: ...


def run(
    count: int, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> list[Worker]:
    """Workers that have run all tests."""
    monkeypatch.setattr(pytestconfig.option, "tx", [f"{count}*popen"], raising=False)
    monkeypatch.setattr(pytestconfig.option, "loadscopereorder", True, raising=False)
    schedule = ByGroup(pytestconfig, Log())
    workers = [Worker(SimpleNamespace(id=f"gw{number}")) for number in range(count)]
    for worker in workers:
        schedule.add_node(worker)
        schedule.add_node_collection(worker, TESTS)
    schedule.schedule()
    finished: dict[Worker, int] = dict.fromkeys(workers, 0)
    while any(finished[worker] < len(worker.tests) for worker in workers):
        for worker in workers:
            if finished[worker] < len(worker.tests):
                schedule.mark_test_complete(
                    worker, TESTS.index(worker.tests[finished[worker]])
                )
                finished[worker] += 1
    return workers


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/test_one.py::Case::test_e[tests/e2e/x]", "tests/unit/test_one.py"),
        ("tests/e2e/test_kills.py::test_c", STACK),
        ("tests/e2e/test_results.py::test_c", STACK),
        ("tests/e2e/test_chaos.py::test_d", "tests/e2e/test_chaos.py"),
        ("tests/browser/test_wall.py::test_b", BROWSER),
    ],
)
def test_a_file_is_a_group_unless_it_shares_a_stack_or_the_browser(nodeid, group):
    assert group_of(nodeid) == group


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_test_runs_once(count, pytestconfig, monkeypatch):
    workers = run(count, pytestconfig, monkeypatch)
    assert sorted(test for worker in workers for test in worker.tests) == sorted(TESTS)
    assert all(worker.shutting_down for worker in workers)


@pytest.mark.parametrize("count", [2, 3])
def test_the_browser_has_a_process_of_its_own(count, pytestconfig, monkeypatch):
    workers = run(count, pytestconfig, monkeypatch)
    (alone,) = [worker for worker in workers if TESTS[0] in worker.tests]
    assert alone.tests == list(TESTS[:2])


@dataclass(frozen=True)
class Item:
    nodeid: str


def test_a_shuffle_keeps_files_together_and_repeats_with_its_seed():
    items = [
        Item(f"test_{file}.py::test_{number}") for file in "abcd" for number in range(5)
    ]
    orders = [[item.nodeid for item in shuffled(items, seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == [item.nodeid for item in items]
    files = [nodeid.partition("::")[0] for nodeid in orders[0]]
    assert sum(one != other for one, other in pairwise(files)) == 3
