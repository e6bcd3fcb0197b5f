"""Measures how long each stage of a piece of work takes.

`measure` takes almost no time unless an outer caller collects the timings.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_COLLECTED: ContextVar["list[Timing] | None"] = ContextVar("timings", default=None)


@dataclass(frozen=True)
class Timing:
    """One stage: its begin in nanoseconds since 1970, and the seconds that it took."""

    name: str
    began_ns: int
    seconds: float

    @property
    def ended_ns(self) -> int:
        return self.began_ns + int(self.seconds * 1e9)


@contextmanager
def collect_timings() -> "Iterator[list[Timing]]":
    """Collect the stages that end inside the block, in this thread."""
    timings: list[Timing] = []
    token = _COLLECTED.set(timings)
    try:
        yield timings
    finally:
        _COLLECTED.reset(token)


@contextmanager
def measure(name: str) -> Iterator[None]:
    """Measure one stage, also if it fails."""
    timings = _COLLECTED.get()
    if timings is None:
        yield
        return
    began_ns = time.time_ns()
    began_s = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began_s
        timings.append(Timing(name=name, began_ns=began_ns, seconds=seconds))
