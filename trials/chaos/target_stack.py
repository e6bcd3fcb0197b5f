"""The stack under test: its processes, its folders and its ledger."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psutil

from deploy.local import Backoff, Event, Phase, Stack
from deploy.local.child import Child
from deploy.local.home import Home
from deploy.local.services import SERVICES
from shared.domain.audit.verification import Findings
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.whole_trail import verify_whole_trail
from shared.ledger.jobs.repository import Job
from shared.security.audit_signing import SealKey, is_signed, seal_key
from shared.settings import ROOT, Settings
from trials.chaos.clients import Clients

WORKERS = ("worker", "worker-2")
INJECTED = Path(__file__).with_name("injected")
LEASE_S = 4.0
RING_EVERY_S = 1.0
SEAL_EVERY_S = 5.0
MAX_UNSEALED = timedelta(hours=1)
"""The time within which each event of a trial has its seal."""
ATTEMPTS = 5
STATEMENT_TIMEOUT_S = 2.0
"""Short, so that an engine that is stopped for some seconds outlasts it."""
SHORT_BACKOFF = Backoff(first_s=0.1, cap_s=2.0, healthy_s=5.0)
"""A trial kills processes often. With the usual back-off it would mostly wait."""
UP = {Phase.READY, Phase.FINISHED}
HEAL_TIMEOUT_S = 120.0
STEP_S = 0.05


class NotHealed(SeraError):
    code = "not-healed"
    text = (
        "After {fault} the stack was not whole again within {within_s:g} s. The logs of "
        "its parts are in {logs}."
    )


class ChildPhases:
    """Tracks which children are up, from the events of the supervisor."""

    def __init__(self) -> None:
        self._phases: dict[str, Phase] = {}
        self._changed = threading.Condition()

    def on_event(self, event: Event) -> None:
        with self._changed:
            self._phases[event.child] = event.phase
            self._changed.notify_all()

    def mark_broken(self, child: str) -> None:
        """Record that a child was killed, before the supervisor notices and restarts it."""
        with self._changed:
            self._phases[child] = Phase.RESTING

    def all_up(self, within_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: set(self._phases.values()) <= UP, within_s
            )


@dataclass
class TargetStack:
    stack: Stack
    phases: ChildPhases
    clients: Clients
    ledger: Ledger
    hospitals: dict[str, UUID]
    random: random.Random
    numbers: Iterator[int] = field(repr=False)
    """Numbers of the cases that faults send in addition to the planned ones."""
    has_small_disk: bool = False
    """Whether the home is a file system of its own, small enough to be filled."""
    rewritten: list[str] = field(default_factory=list)
    """Sentences on results that were rewritten, and were not refused or named."""

    def pause(self, max_s: float, min_s: float = 0.0) -> None:
        threading.Event().wait(self.random.uniform(min_s, max_s))

    def process(self, child: str) -> psutil.Process:
        """The present process of a child; waits for one that is being restarted."""
        deadline = time.monotonic() + HEAL_TIMEOUT_S
        while time.monotonic() < deadline:
            with suppress(KeyError, psutil.NoSuchProcess):
                return psutil.Process(self.stack.state.pids[child])
            threading.Event().wait(STEP_S)
        raise self.not_healed(f"the loss of {child}")

    def not_healed(self, fault: str) -> NotHealed:
        """Make the error that the caller raises."""
        return NotHealed(
            fault=fault, within_s=HEAL_TIMEOUT_S, logs=self.stack.home.logs
        )

    def kill(self, child: str) -> None:
        with suppress(psutil.NoSuchProcess):
            self.process(child).send_signal(signal.SIGKILL)
            self.phases.mark_broken(child)

    def worker(self) -> str:
        return self.random.choice(WORKERS)

    def find_holder(self, job: UUID, hospital: str) -> tuple[str | None, Job | None]:
        """The worker that holds the job, and the job."""
        with self.ledger.system_session("chaos") as system_session:
            worker = system_session.queue.holder(job)
        with self.ledger.hospital_session(
            self.hospitals[hospital], "chaos"
        ) as hospital_session:
            return worker, hospital_session.jobs.find(job)

    @property
    def objects(self) -> Path:
        return self.stack.home.objects

    @property
    def disk_filler(self) -> Path:
        return self.stack.home.root / "filler"

    def clock_file(self, child: str) -> Path:
        """The file of the seconds by which a child's wall clock is off."""
        return clock_file(self.stack.home.root, child)

    @contextmanager
    def delayed_objects(self, seconds: float) -> Iterator[None]:
        """Opening anything in the object store takes that long, at most until the block ends."""
        file = delay_file(self.stack.home.root)
        file.write_text(str(seconds))
        try:
            yield
        finally:
            file.unlink()

    def verify(self) -> Findings:
        """Verify the audit trail and the results in the database."""
        return verify_whole_trail(
            AuditTrailReader(self.ledger, "chaos"),
            is_signed,
            trusted_keys=[self.seal_key.public],
            max_wait=MAX_UNSEALED,
        )

    @property
    def seal_key(self) -> SealKey:
        return seal_key(Settings(home=self.stack.home.root))


def clock_file(home: Path, child: str) -> Path:
    return home / f"clock-of-{child}"


def delay_file(home: Path) -> Path:
    return home / "delay-of-objects"


def create_stack(home: Path, port: int, on_event: Callable[[Event], None]) -> Stack:
    """The stack of `./sera up` with two workers, short leases and an adjustable wall clock."""
    return Stack(
        home,
        port,
        services=services(home),
        extra_env=extra_env(home),
        backoff=SHORT_BACKOFF,
        observe=on_event,
    )


def extra_env(home: Path) -> dict[str, str]:
    """The environment variables of every service of a trial."""
    return {
        "SERA_LEASE_S": str(LEASE_S),
        "SERA_RING_EVERY_S": str(RING_EVERY_S),
        "SERA_MAX_ATTEMPTS": str(ATTEMPTS),
        "SERA_STATEMENT_TIMEOUT_S": str(STATEMENT_TIMEOUT_S),
        "SERA_DELAY_FILE": str(delay_file(home)),
        "SERA_DELAYED_FOLDER": str(Home(home).objects),
        "PYTHONPATH": ":".join((str(INJECTED), str(ROOT))),
        "SERA_AUDIT_SEAL_EVERY_S": str(SEAL_EVERY_S),
        "SERA_PRODUCTION": "0",
        "OMP_NUM_THREADS": "1",
    }


def services(home: Path) -> tuple[Child, ...]:
    """The services without trainer and shadow, which take no part in handling cases."""
    children: list[Child] = []
    for child in SERVICES:
        if child.name == WORKERS[0]:
            children += [_worker(child, name) for name in WORKERS]
        elif child.name not in ("trainer", "shadow"):
            children.append(child)
    return tuple(_with_clock(child, home) for child in children)


def _worker(child: Child, name: str) -> Child:
    return replace(child, name=name, env=(("SERA_WORKER_NAME", name),))


def _with_clock(child: Child, home: Path) -> Child:
    file = clock_file(home, child.name)
    return replace(child, env=(*child.env, ("SERA_CLOCK_FILE", str(file))))


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Suspend a process and its children; afterwards they go on.

    The watchdog may end a process meanwhile, because it is silent.
    """
    processes: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        processes = [process, *process.children(recursive=True)]
    for member in processes:
        with suppress(psutil.NoSuchProcess):
            member.suspend()
    try:
        yield
    finally:
        for member in processes:
            with suppress(psutil.NoSuchProcess):
                member.resume()
