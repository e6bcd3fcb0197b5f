"""The test run: its options, the order of the tests, and their distribution over processes."""

import resource
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.workermanage import WorkerController

from tests.browser.chromium import HOW
from tests.support.run_cache import RunCache
from tests.support.scheduling import ByGroup, in_order, shuffled

PEAKS_MIB = pytest.StashKey[list[int]]()
LONG_FORM = "the long form: ./sera test --long"
SKIPS = {
    "no Chromium": (
        "browser tests were skipped, for there is no Chromium. To run them, as root: "
        f"{HOW}"
    ),
    LONG_FORM: "tests run only in the long form: ./sera test --long",
}
"""What the end of a run says, with their number, of tests that were skipped for this reason."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("SERA")
    group.addoption(
        "--long", action="store_true", help="run the heavy suites in their long form"
    )
    group.addoption(
        "--shuffle", type=int, metavar="SEED", help="run the tests in a random order"
    )


def _let_children_be_interrupted() -> None:
    """Restore SIGINT, which a shell ignores for its background jobs and children inherit."""
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    _let_children_be_interrupted()
    worker = getattr(config, "workerinput", None)
    RunCache.folder = Path(
        worker["run_cache"] if worker else tempfile.mkdtemp(prefix="sera-run-")
    )
    only_spreads = worker is None and config.getoption("dist", "no") != "no"
    if not only_spreads:  # who only hands tests to others need not import torch
        config.pluginmanager.import_plugin("tests.support.fixtures")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(RunCache.folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["run_cache"] = str(RunCache.folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if not config.getoption("long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=LONG_FORM))
    seed = config.getoption("shuffle")
    items[:] = in_order(items) if seed is None else shuffled(items, seed)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Report the peak memory of this worker process and of the processes that it waited for."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak_mib"] = peak_mib()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash.setdefault(PEAKS_MIB, []).append(output.get("peak_mib", 0))


def peak_mib() -> int:
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(user).ru_maxrss for user in users) // 1024


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether heavy tests run in their long form."""
    return pytestconfig.getoption("long")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in the end how much memory the tests took, and what this run has not tried."""
    peak = max(terminalreporter.config.stash.get(PEAKS_MIB, []), default=peak_mib())
    terminalreporter.write_line(
        f"SERA: the largest process of the tests took {peak} MiB"
    )
    skipped = [
        str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])
    ]
    for reason, sentence in SKIPS.items():
        if count := sum(reason in cause for cause in skipped):
            terminalreporter.write_line(f"SERA: {count} {sentence}", yellow=True)
