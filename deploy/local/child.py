"""A process of the stack, as data, and the probes that tell when it is ready."""

import http.client
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Environment = Mapping[str, str]
Probe = Callable[[Environment], bool]


def has_ready_file(env: Environment) -> bool:
    """The child said so itself, by creating the file named in SERA_READY_FILE."""
    return Path(env["SERA_READY_FILE"]).exists()


def answers_http(path: str) -> Probe:
    """A probe that asks the child's own port for `path` and wants 200."""

    def probe(env: Environment) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(
            env["SERA_HOST"], env["SERA_HOST"]
        )
        line = http.client.HTTPConnection(host, int(env["SERA_PORT"]), timeout=1)
        try:
            line.request("GET", path)
            return line.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    return probe


@dataclass(frozen=True)
class Backoff:
    """How long a crashed child rests: doubling from `first_s` to `cap_s`, from the start again
    after `healthy_s`.
    """

    first_s: float = 0.25
    cap_s: float = 30.0
    healthy_s: float = 60.0

    def delay_s(self, failures: int) -> float:
        return min(self.first_s * 2.0 ** min(failures - 1, 32), self.cap_s)


@dataclass(frozen=True)
class Child:
    """One process of the stack: what to run, after whom, and when it counts as ready."""

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    """Started when these are ready, stopped before them."""
    ready: Probe = has_ready_file
    alive: tuple[str, ...] = ()
    """Asked about a child that writes its progress to SERA_ALIVE_FILE and has been silent for too
    long: 1 ends it.
    """
    one_shot: bool = False
    """Runs once to its end before those after it start."""
    prepare: Callable[[], None] = field(default=lambda: None)
    """Called before each start."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables of its own, beside the stack's."""
    identity: tuple[str, ...] = ()
    """setpriv options, where the child runs as another user."""
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """Ends it at once: what the kernel sends when the supervisor is killed, and we when patience
    runs out.
    """
    ready_s: float = 120.0
    stop_s: float = 10.0
    start_attempts: int = 1
    """How often it may fail before the first start of the stack is given up."""


def python(*arguments: str) -> tuple[str, ...]:
    """The command that runs a module with the interpreter we run on."""
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
