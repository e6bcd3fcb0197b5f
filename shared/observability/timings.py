"""How long the stages of a piece of work took, for whoever around it wants to know; else they cost next to nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_TAKEN: ContextVar["list[Timing] | None"] = ContextVar("laps", default=None)


@dataclass(frozen=True)
class Timing:
    """A stage: when it began, in nanoseconds of the epoch, and the seconds that it took."""

    name: str
    began_ns: int
    seconds: float

    @property
    def ended_ns(self) -> int:
        return self.began_ns + int(self.seconds * 1e9)


@contextmanager
def collect_timings() -> "Iterator[list[Timing]]":
    """The stages that are gone through in here, in this thread, as they end."""
    laps: list[Timing] = []
    token = _TAKEN.set(laps)
    try:
        yield laps
    finally:
        _TAKEN.reset(token)


@contextmanager
def measure(name: str) -> Iterator[None]:
    """A stage; it counts whether it succeeds or fails."""
    laps = _TAKEN.get()
    if laps is None:
        yield
        return
    began_ns = time.time_ns()
    began = time.perf_counter()
    try:
        yield
    finally:
        laps.append(Timing(name, began_ns, time.perf_counter() - began))
