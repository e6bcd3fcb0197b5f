"""Runs a child in its own session with a log. The child never outlives this process."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deploy.local.child import Child
from deploy.local.errors import ToolMissing
from shared.settings import ROOT

LOG_CAP_BYTES = 8 * 1024 * 1024
LOG_TAIL_BYTES = 2048


def setpriv() -> str:
    """The path of the setpriv program.

    It sets the death signal, and another user if needed, before it executes the real program. A
    `preexec_fn` could do the same, but is not safe if other threads run.
    """
    if program := shutil.which("setpriv"):
        return program
    raise ToolMissing(tool="setpriv", package="util-linux")


def open_log(path: Path) -> int:
    """Open a log for appending. A log that is larger than the cap is renamed to NAME.log.1
    first.
    """
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_CAP_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank, or an empty string."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


class Process:
    """A running child.

    The thread that starts it must live as long as the child, because the kernel binds the death
    signal to that thread.
    """

    def __init__(self, child: Child, env: Mapping[str, str], log: Path) -> None:
        command = (
            setpriv(),
            *child.identity,
            "--pdeathsig",
            child.orphan_signal.name[3:],
            "--",
            *child.command,
        )
        output = open_log(log)
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=ROOT,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self.pid = self._popen.pid

    def exit_code(self) -> int | None:
        """Return the exit code, or None while the child runs.

        If the child has ended, the remaining processes of its process group are killed.
        """
        if self._popen.returncode is None and os.waitid(
            os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            self.kill()  # before the zombie is reaped: until then nobody else can get this group id
            self._popen.wait()
        return self._popen.returncode

    def send(self, number: signal.Signals) -> None:
        if self._popen.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
