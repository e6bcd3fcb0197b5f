"""Detects a child that runs but makes no progress.

Nothing here blocks, because the supervisor also serves the other children.
"""

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from shared.observability.liveness import is_overdue, read_deadline
from shared.settings import ROOT

PROBE_INTERVAL_S = 5.0
"""The pause between two probes of a silent child."""
PROBE_TIMEOUT_S = 30.0
STUCK = 1


class Watchdog:
    """Watches one child.

    If the child is silent for longer than it announced, a command probes it. Only exit code 1 of
    the command means that the child is stuck.
    """

    def __init__(
        self, command: tuple[str, ...], env: Mapping[str, str], path: Path
    ) -> None:
        self._command = command
        self._env = env
        self._path = path
        self._probe: subprocess.Popen[bytes] | None = None
        self._next_probe_s = self._probe_deadline_s = 0.0
        self._first_promise: float | None = None

    @property
    def is_probing(self) -> bool:
        return self._probe is not None

    def start(self) -> None:
        """Start watching: the child is ready."""
        self._first_promise = read_deadline(self._path)

    def has_progressed(self) -> bool:
        """Whether the child has reported progress since `start`."""
        return read_deadline(self._path) != self._first_promise

    def is_stuck(self) -> bool:
        now = time.monotonic()
        if self._probe:
            return self._answer(self._probe, now) == STUCK
        if self._command and now >= self._next_probe_s and is_overdue(self._path):
            self._next_probe_s = now + PROBE_INTERVAL_S
            # Without free processes or memory the child is probed again later.
            with suppress(OSError):
                self._probe = subprocess.Popen(
                    self._command,
                    env=dict(self._env),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                self._probe_deadline_s = now + PROBE_TIMEOUT_S
        return False

    def stop(self) -> None:
        """Stop watching: the child has ended, so a running probe is killed."""
        if self._probe:
            self._probe.kill()
            self._probe.wait()
        self._probe = None
        with suppress(OSError):
            self._path.unlink()

    def _answer(self, probe: "subprocess.Popen[bytes]", now: float) -> int | None:
        code = probe.poll()
        if code is None and now > self._probe_deadline_s:
            probe.kill()
            code = probe.wait()
        if code is not None:
            self._probe = None
            self._next_probe_s = now + PROBE_INTERVAL_S
        return code
