"""The state file of a running stack: how the CLI, a test or a person finds it."""

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
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def own(cls) -> Self:
        """The process that asks."""
        process = psutil.Process()
        return cls(process.pid, process.create_time())

    @classmethod
    def of(cls, pid: int) -> Self | None:
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
    """What runs, where, and how to reach it."""

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
        """The state of the stack that runs on `home`; StackNotRunning where none does."""
        found = cls.read(Home(home))
        if found is None or found.supervisor.find() is None:
            raise StackNotRunning(home=home)
        return found

    @classmethod
    def read(cls, home: Home) -> Self | None:
        """What the file says, whether its stack still runs or not."""
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
        """Replace the file in one step, readable by us only: it may carry passwords."""
        draft = home.state_file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(asdict(self), out, indent=2)
        draft.replace(home.state_file)


def clear_leftovers(home: Home) -> None:
    """End what a killed supervisor may have left; call it only while holding the home."""
    if (left := StackState.read(home)) is None:
        return
    processes = [
        process for child in left.children.values() if (process := child.find())
    ]
    _gone, alive = psutil.wait_procs(
        processes, timeout=LEFTOVER_S
    )  # the kernel has told them to end already
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(alive, timeout=LEFTOVER_S)
    sockets = Path(left.sockets)
    if (
        not sockets.is_relative_to(home.root)
        and sockets.name.startswith("sera-")
        and sockets.is_dir()
    ):
        shutil.rmtree(sockets, ignore_errors=True)
    home.state_file.unlink()
