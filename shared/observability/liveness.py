"""The file with which a worker shows that it makes progress, and how other processes read it.

The file holds a deadline: the worker must report again before it. The deadline is a time of the
machine's monotonic clock, which all its processes share and nobody can set. The file has a constant
length, so that it can be written on a full disk too.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from shared.observability.logs import log

WIDTH = 20


class LivenessReporter:
    """The worker reports when it has done some work, or has found that no work is waiting."""

    def __init__(self, path: Path | None, timeout_s: float, long_task_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._long_task_s = long_task_s

    def report_progress(self) -> None:
        """Report progress. The worker must report again within `timeout_s`."""
        self._write_deadline(self._timeout_s)

    def report_long_task(self) -> None:
        """Report the begin of a task that may take `long_task_s`, such as loading a model."""
        self._write_deadline(self._long_task_s)

    def _write_deadline(self, within_s: float) -> None:
        if self._path is None:
            return
        try:
            _write(self._path, time.monotonic() + within_s)
        except OSError as error:
            # A file without a deadline counts as alive.
            log().warning("progress.not-told", problem=str(error))


def read_deadline(path: Path) -> float | None:
    """The deadline by time.monotonic(); None if the file holds none."""
    with suppress(OSError, ValueError):
        return float(path.read_text())
    return None


def is_overdue(path: Path) -> bool:
    """Whether the deadline has passed; False if there is none."""
    deadline = read_deadline(path)
    return deadline is not None and deadline < time.monotonic()


def _write(path: Path, deadline: float) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, f"{deadline:0{WIDTH}.3f}".encode(), 0)
    finally:
        os.close(descriptor)
