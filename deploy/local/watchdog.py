"""Watches whether a child that lives also gets on. Nothing here waits: the supervisor has others to
look after.
"""

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from shared.observability.liveness import is_overdue, read_deadline
from shared.settings import ROOT

PAUSE_S = 5.0
"""Between two questions to a child that is silent."""
ANSWER_S = 30.0
STUCK = 1


class Vigil:
    """A child that is silent for longer than it said is asked for by a command; only its 1 means
    that it is stuck.
    """

    def __init__(
        self, command: tuple[str, ...], env: Mapping[str, str], path: Path
    ) -> None:
        self._command = command
        self._env = env
        self._path = path
        self._asked: subprocess.Popen[bytes] | None = None
        self._next = self._give_up = 0.0
        self._at_first: float | None = None

    @property
    def asking(self) -> bool:
        return self._asked is not None

    def begin(self) -> None:
        """The child is ready from now on."""
        self._at_first = read_deadline(self._path)

    def worked(self) -> bool:
        """Whether it has said since that it got on."""
        return read_deadline(self._path) != self._at_first

    def stuck(self) -> bool:
        now = time.monotonic()
        if self._asked:
            return self._answer(self._asked, now) == STUCK
        if self._command and now >= self._next and is_overdue(self._path):
            self._next = now + PAUSE_S
            with suppress(
                OSError
            ):  # out of processes or memory: it is asked again later
                self._asked = subprocess.Popen(
                    self._command,
                    env=dict(self._env),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                self._give_up = now + ANSWER_S
        return False

    def end(self) -> None:
        """The child has ended; what was asked is of no interest any more."""
        if self._asked:
            self._asked.kill()
            self._asked.wait()
        self._asked = None
        with suppress(OSError):
            self._path.unlink()

    def _answer(self, probe: "subprocess.Popen[bytes]", now: float) -> int | None:
        code = probe.poll()
        if code is None and now > self._give_up:
            probe.kill()
            code = probe.wait()
        if code is not None:
            self._asked = None
            self._next = now + PAUSE_S
        return code
