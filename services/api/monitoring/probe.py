"""Runs the checks of other services in threads of its own."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from shared.errors import Unavailable

MAX_CHECKS = 5
Check = Callable[[], object]


class ReadinessProbe:
    """Runs checks in threads of its own, so that a caller need not wait for a silent service.

    A check that has not ended is not started again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(MAX_CHECKS, thread_name_prefix="readiness")
        self._checks: dict[str, Future[str]] = {}

    def start(self, checks: Mapping[str, Check]) -> dict[str, Future[str]]:
        """Start the checks. Each future gets `ok` or the fault."""
        with self._lock:
            for name, check in checks.items():
                running = self._checks.get(name)
                if running is None or running.done():
                    self._checks[name] = self._threads.submit(_state, check)
            return {name: self._checks[name] for name in checks}

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _state(check: Check) -> str:
    try:
        check()
    except Unavailable as error:
        return str(error)
    return "ok"
