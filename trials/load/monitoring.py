"""Samples the queue length and the memory of the stack's processes during a load."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.local.errors import StackNotRunning
from deploy.local.state import ProcessId, StackState
from shared.errors import SeraError
from shared.http_types import JsonObject

EVERY_S = 5.0
MIB = 2**20
KIB = 2**10


class Operator(Protocol):
    """The gateway as an operator's key sees it."""

    def get(self, path: str) -> JsonObject: ...

    def get_list(self, path: str) -> list[JsonObject]: ...

    def post(self, path: str, *, json: object) -> JsonObject: ...

    def delete(self, path: str) -> JsonObject: ...


@dataclass(frozen=True)
class Sample:
    """One sample of the stack."""

    at_s: float
    waiting: int | None
    running: int | None
    """Cases that wait and are read; None where the gateway did not say."""
    memory_mib: dict[str, float] = field(default_factory=dict)
    """By child of the stack, with all processes below it."""
    busy: float = 0.0
    """Processes that wanted a core of this machine, over the last minute: the load's and all
    others.
    """


class StackMonitor:
    """Takes a sample every few seconds."""

    def __init__(
        self, operator: Operator, home: Path | None, now_s: Callable[[], float]
    ) -> None:
        self._operator = operator
        self._home = home
        self._now_s = now_s
        self._first: dict[str, ProcessId] = {}
        self.samples: list[Sample] = []
        self.restarted: dict[str, float] = {}
        """Children that are not the process any more that they were, and when that was first seen.
        """

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            self.samples.append(await asyncio.to_thread(self.take_sample))
            await asyncio.sleep(EVERY_S)

    def take_sample(self) -> Sample:
        at_s = self._now_s()
        children = self._children()
        for name, process in children.items():
            if self._first.setdefault(name, process) != process:
                self.restarted.setdefault(name, at_s)
        memory = memory_mib({name: process.pid for name, process in children.items()})
        return Sample(at_s, *self._depth(), memory, os.getloadavg()[0])

    def _depth(self) -> tuple[int | None, int | None]:
        with suppress(SeraError):  # the clients note what the gateway does not answer
            queue = self._operator.get("/v1/queue")
            return sum(line["jobs"] for line in queue["waiting"]), queue["running"]
        return None, None

    def _children(self) -> dict[str, ProcessId]:
        """Of the stack on this home, if it is one of this machine; the migrations are over."""
        if self._home is None:
            return {}
        try:
            return StackState.load(self._home).children
        except StackNotRunning:
            return {}


def memory_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of each process and all below it, without what they share.

    Postgres' buffers are shared by all its processes, of a fixed size, and counted in each that has
    touched them: so RssShmem of /proc/PID/status stays out.
    """
    children = _children()
    return {
        name: sum(map(_own_kib, _family(pid, children))) * KIB / MIB
        for name, pid in pids.items()
    }


def _children() -> dict[int, list[int]]:
    """The child processes of every process."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2]
            children[int(fields.split()[1])].append(int(stat.parent.name))
    return children


def _family(pid: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _family(child, children)


def _own_kib(pid: int) -> int:
    size_kib = 0
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        for line in lines:
            if line.startswith(("RssAnon", "RssFile")):
                size_kib += int(line.split()[1])
    return size_kib
