"""Measures the memory of processes during a run."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

import psutil

EVERY_S = 1.0
MIB = 2**20


@dataclass
class Usage:
    """Resident memory of one kind of process over time, in MiB; its children are counted apart."""

    process_mib: list[float] = field(default_factory=list)
    children_mib: list[float] = field(default_factory=list)

    @property
    def max_mib(self) -> float:
        return max(self.process_mib, default=0.0)

    @property
    def growth_mib(self) -> float:
        """From the second quarter of the run to its last: the allocator keeps what large images
        took, up to a level.
        """
        quarter = len(self.process_mib) // 4
        return (
            median(self.process_mib[-quarter:])
            - median(self.process_mib[quarter : 2 * quarter])
            if quarter
            else 0.0
        )

    def to_json(self) -> dict[str, float]:
        return {
            "most_mib": round(self.max_mib, 1),
            "growth_mib": round(self.growth_mib, 1),
            "children_most_mib": round(max(self.children_mib, default=0.0), 1),
        }


class MemoryMonitor:
    """Samples the memory of the named processes every second, from entry to exit."""

    def __init__(
        self, pids: Callable[[], Mapping[str, int]], names: Sequence[str]
    ) -> None:
        self._pids = pids
        self._stopped = threading.Event()
        self.usage = {name: Usage() for name in names}
        self._thread = threading.Thread(target=self._run, name="memory")

    def __enter__(self) -> "MemoryMonitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self.take_sample()

    def take_sample(self) -> None:
        """Take one sample now."""
        pids = self._pids()
        for name, usage in self.usage.items():
            with suppress(psutil.Error, KeyError):
                process = psutil.Process(pids[name])
                usage.process_mib.append(process.memory_info().rss / MIB)
                usage.children_mib.append(
                    sum(_rss(child) for child in process.children(recursive=True)) / MIB
                )


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.memory_info().rss
    return 0
