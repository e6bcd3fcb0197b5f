"""Toy services and free ports, for stacks that may run beside others."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local import Child

ROOT = Path(__file__).parents[3]
STAYS = 'touch "$SERA_READY_FILE"; exec sleep 600'


@pytest.fixture
def toy() -> Callable[..., Child]:
    """A child that runs a line of shell; without one, it gets ready and stays."""

    def make(name: str, line: str = STAYS, **settings: object) -> Child:
        return Child(name, ("/bin/sh", "-c", line), **settings)

    return make


@pytest.fixture
def port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


class Foreground:
    """A stack run by another process, as `./sera up` runs it, and every process
    that belongs to it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.state = json.loads(process.stdout.readline() or "{}")
        self.family = (
            psutil.Process(process.pid).children(recursive=True) if self.state else []
        )

    def all_end(self, timeout_s: float = 20) -> bool:
        """Wait until it has; a zombie has ended too, where nobody reaps
        orphans, as in a container.
        """
        self.process.wait(timeout_s)
        give_up = time.monotonic() + timeout_s
        while any(map(runs, self.family)):
            if time.monotonic() > give_up:
                return False
            psutil.wait_procs(self.family, timeout=0.1)
        return True


def runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


RUN = """
import json, sys
from pathlib import Path
from deploy.local import Child, Stack
stays = ("/bin/sh", "-c", 'touch "$SERA_READY_FILE"; exec sleep 600')
deaf = ("/bin/sh", "-c", 'trap "" TERM INT HUP; touch "$SERA_READY_FILE"; while :; do sleep 1; done')
children = Child("api", stays, depends_on=("postgres", "valkey")), Child("worker", deaf if "deaf" in sys.argv else stays)
stack = Stack(Path(sys.argv[1]), services=children, durable=False)
stack.run_until_stopped(lambda running: print(json.dumps(running.state.pids), flush=True))
"""


@pytest.fixture
def foreground() -> Iterator[Callable[..., Foreground]]:
    """Starts a stack of real engines and toy services in a process of its own; waits until it is
    up.
    """
    started: list[Foreground] = []

    def start(home: Path, *arguments: str) -> Foreground:
        command = (sys.executable, "-c", RUN, str(home), *arguments)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=-1,
            text=True,
        )
        started.append(Foreground(process))
        return started[-1]

    yield start
    for item in started:
        item.process.kill()
        item.process.wait()
        item.process.stdout.close()
        for member in item.family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
