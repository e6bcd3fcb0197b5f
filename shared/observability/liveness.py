"""How a process that works on a queue says that it gets on, and how others read it.

The file holds until when it may be silent, by the machine's monotonic clock, which all its processes share and nobody
can set. It keeps its length, so that it can be written also on a full disk.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from shared.observability.logs import log

WIDTH = 20


class Progress:
    """Told by whoever does the work, when it has done some or found that there was none."""

    def __init__(self, path: Path | None, patience_s: float, long_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._long_s = long_s

    def made(self) -> None:
        """It got on, and will again soon."""
        self._promise(self._patience_s)

    def takes_long(self) -> None:
        """What begins now may take long, a model to load for one."""
        self._promise(self._long_s)

    def _promise(self, within_s: float) -> None:
        if self._path:
            try:
                _write(self._path, time.monotonic() + within_s)
            except OSError as refused:  # nobody can tell then, which counts as alive
                log().warning("progress.not-told", problem=str(refused))


def promised(path: Path) -> float | None:
    """Until when it may be silent, by time.monotonic(); None where nothing was said."""
    with suppress(OSError, ValueError):
        return float(path.read_text())
    return None


def overdue(path: Path) -> bool:
    """Whether it has been silent for longer than it said."""
    until = promised(path)
    return until is not None and until < time.monotonic()


def _write(path: Path, until: float) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, f"{until:0{WIDTH}.3f}".encode(), 0)
    finally:
        os.close(descriptor)
