"""The state file of a running stack. The CLI, tests and users find the stack with it."""

import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import psutil

from deploy.local.errors import StackNotRunning
from deploy.local.home import Home

LEFTOVER_S = 5.0


@dataclass(frozen=True)
class ProcessId:
    """A process id with its start time. The start time distinguishes it from a later process with
    the same id.
    """

    pid: int
    started: float

    @classmethod
    def current(cls) -> Self:
        """The present process."""
        process = psutil.Process()
        return cls(process.pid, process.create_time())

    @classmethod
    def from_pid(cls, pid: int) -> Self | None:
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if (
                abs(process.create_time() - self.started) < 0.05
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                return process
        return None


@dataclass(frozen=True)
class StackState:
    """The processes of a stack, its folders and its URLs."""

    home: str
    supervisor: ProcessId
    sockets: str
    database_url: str
    broker_url: str
    objects_url: str
    url: str | None = None
    port: int | None = None
    children: dict[str, ProcessId] = field(default_factory=dict)
    ready: bool = False

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name of the child."""
        return {name: process.pid for name, process in self.children.items()}

    @classmethod
    def load(cls, home: Path) -> Self:
        """Return the state of the stack that runs on `home`. Raises StackNotRunning if none
        does.
        """
        state = cls.read(Home(home))
        if state is None or state.supervisor.find() is None:
            raise StackNotRunning(home=home)
        return state

    @classmethod
    def read(cls, home: Home) -> Self | None:
        """Return the content of the state file, even if its stack has ended."""
        try:
            facts = json.loads(home.state_file.read_text())
        except FileNotFoundError:
            return None
        facts["supervisor"] = ProcessId(**facts["supervisor"])
        facts["children"] = {
            name: ProcessId(**process) for name, process in facts["children"].items()
        }
        return cls(**facts)

    def save(self, home: Home) -> None:
        """Replace the file atomically, readable by this user only, because it may contain
        passwords.
        """
        draft = home.state_file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
        draft.replace(home.state_file)


def clear_leftovers(home: Home) -> None:
    """End processes that a killed supervisor may have left. The caller must
    hold the home's lock.
    """
    state = StackState.read(home)
    if state is None:
        return
    processes = []
    for child in state.children.values():
        if process := child.find():
            processes.append(process)
    # The kernel has already sent them their death signal.
    _, alive = psutil.wait_procs(processes, timeout=LEFTOVER_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(alive, timeout=LEFTOVER_S)
    sockets = Path(state.sockets)
    if (
        not sockets.is_relative_to(home.root)
        and sockets.name.startswith("sera-")
        and sockets.is_dir()
    ):
        shutil.rmtree(sockets, ignore_errors=True)
    home.state_file.unlink()
