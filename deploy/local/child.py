"""Describes a process of the stack, and the probes that report when it is ready."""

import http.client
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Environment = Mapping[str, str]
Probe = Callable[[Environment], bool]


def has_ready_file(env: Environment) -> bool:
    """Return whether the child has created the file named in SERA_READY_FILE."""
    return Path(env["SERA_READY_FILE"]).exists()


def responds_to_http(path: str) -> Probe:
    """Build a probe that requests `path` from the child's own port and expects status 200."""

    def probe(env: Environment) -> bool:
        bind_address = env["SERA_HOST"]
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        host = loopback.get(bind_address, bind_address)
        connection = http.client.HTTPConnection(host, int(env["SERA_PORT"]), timeout=1)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


@dataclass(frozen=True)
class Backoff:
    """The pause before a crashed child starts again.

    It doubles from `first_s` to `cap_s`. After the child has run without a crash for `healthy_s`,
    it starts at `first_s` again.
    """

    first_s: float = 0.25
    cap_s: float = 30.0
    healthy_s: float = 60.0

    def delay_s(self, failure_count: int) -> float:
        return min(self.first_s * 2.0 ** min(failure_count - 1, 32), self.cap_s)


@dataclass(frozen=True)
class Child:
    """One process of the stack: its command, its dependencies, and when it counts as ready."""

    name: str
    command: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    """Children that must be ready before this child starts. They are stopped after it."""
    ready: Probe = has_ready_file
    liveness_command: tuple[str, ...] = ()
    """A command that checks a child which has written no progress to SERA_ALIVE_FILE for too long.

    Exit code 1 means that the child is stuck, and ends it.
    """
    one_shot: bool = False
    """Runs once to its end before the children that depend on it start."""
    prepare: Callable[[], None] = field(default=lambda: None)
    """Called before each start."""
    env: tuple[tuple[str, str], ...] = ()
    """Environment variables of this child only."""
    identity: tuple[str, ...] = ()
    """setpriv options if the child runs as another user; else empty."""
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """Ends the child at once. The kernel sends it when the supervisor is killed, and the supervisor
    sends it when `stop_s` is over.
    """
    ready_s: float = 120.0
    stop_s: float = 10.0
    start_attempts: int = 1
    """Number of failures after which the first start of the stack is given up."""


def python(*arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module with the current interpreter."""
    return (sys.executable, "-m", *arguments)


def describe_exit(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    name = (
        signal.Signals(-code).name
        if -code in set(signal.Signals)
        else f"signal {-code}"
    )
    return f"it was ended by {name}"
