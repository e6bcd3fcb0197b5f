"""Which worker process runs which tests, and in which order."""

import random
from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

BROWSER = "browser"
STACK = "shared stack"
BROWSER_FOLDER = "tests/browser/"
STACK_FOLDER = "tests/e2e/"
OWN_STACK = frozenset(
    f"{STACK_FOLDER}{name}.py"
    for name in (
        "test_another_home",
        "test_chaos",
        "test_faults",
        "test_lee2019",
        "test_restore",
    )
)
"""Files of `tests/e2e` that do not use the stack which the others there share."""
LONGEST_FIRST = (
    BROWSER,
    STACK,
    "tests/integration/api/",
    STACK_FOLDER,
    "tests/integration/",
)
"""Beginnings of groups, in the order in which they are handed out, so that all workers end at about
the same time.

Stacks of a file's own come after some tests that need none: three at once are slow on two cores.
"""


def group_of(nodeid: str) -> str:
    """Tests of one group run in one process, one after another: a file, the shared stack or the
    browser.
    """
    file = nodeid.partition("::")[0]
    if file.startswith(BROWSER_FOLDER):
        return BROWSER
    if file.startswith(STACK_FOLDER) and file not in OWN_STACK:
        return STACK
    return file


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items with the longest groups first."""

    def rank(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        places = enumerate(LONGEST_FIRST)
        return next(
            (place for place, path in places if group.startswith(path)),
            len(LONGEST_FIRST),
        )

    return sorted(items, key=rank)


def shuffled(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """The files in a random order, and the tests within each; the same in every process that has
    the seed.
    """
    chance = random.Random(seed)
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.nodeid.partition("::")[0], []).append(item)
    files = list(by_file.values())
    chance.shuffle(files)
    for file in files:
        chance.shuffle(file)
    return [item for file in files for item in file]


class ByGroup(LoadScopeScheduling):
    """Hands the groups out in the order of their first test; a worker gets the next one when it has
    nearly finished.

    The browser has a process of its own wherever there are two: Playwright leaves an event loop
    running in the thread that started it, and `asyncio.run` refuses to work beside it.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = (
            False  # else those with the most tests come first
        )

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """The next group, but the browser only to a worker that has had none before."""
        if BROWSER in self.workqueue:
            first = not self.assigned_work[node]
            alone = len(self.workqueue) == 1
            self.workqueue.move_to_end(BROWSER, last=not (first or alone))
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if BROWSER in self.assigned_work[node] and len(self.nodes) > 1:
            node.shutdown()  # once it has run what it has
        else:
            super()._reschedule(node)
