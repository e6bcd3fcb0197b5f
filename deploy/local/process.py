"""One running process: in its own session, with its log, and never outliving us."""

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
    """The tool that sets the death signal, and another user where needed, before the program proper
    is executed.

    A `preexec_fn` could do the same, but is not safe where other threads run.
    """
    if found := shutil.which("setpriv"):
        return found
    raise ToolMissing(tool="setpriv", package="util-linux")


def open_log(path: Path) -> int:
    """A descriptor to append to; a log that has grown past the cap is kept once, as NAME.log.1."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_CAP_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_line(log: Path) -> str:
    """What a log ends with; empty where there is nothing."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


class Process:
    """A child while it runs. The thread that starts it must live as long: the death signal is bound
    to it.
    """

    def __init__(self, child: Child, env: Mapping[str, str], log: Path) -> None:
        bound = (
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
                bound,
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
        """None while it runs. What is left of its session's process group is killed with it."""
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
