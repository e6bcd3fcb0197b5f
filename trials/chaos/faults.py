"""The faults, each by real means. One is over when it returns; the trial waits until what it broke
is whole again.
"""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID, uuid4

import psutil

from shared.domain.jobs import FINAL_STATES
from shared.queueing import CeleryNotifier, celery_app
from shared.queueing.app import Tasks
from trials.chaos.cases import poison
from trials.chaos.target_stack import ATTEMPTS, LEASE_S, Arena, suspended
from trials.slo import Promise

Fault = Callable[[Arena], int]
"""Injects it; returns how often, 0 if it could not get hold of what it was to break."""
FAULTS: dict[str, Fault] = {}

OUTAGE_S = 2.0
DAY_S = 86_400
RINGS = 100
CUT_UPLOADS = 4
POISON_S = 30.0
"""In which a poison is taken up; else it is left alone."""
BOUNDARY = "chaos"
PART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="size_mm"\r\n\r\n12\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG'
)


def fault(kind: str) -> Callable[[Fault], Fault]:
    def register(inject: Fault) -> Fault:
        FAULTS[kind] = inject
        return inject

    return register


@fault("worker-killed")
def kill_worker(arena: Arena) -> int:
    """At any moment, so in any phase: claiming, fetching, decoding, inferring, writing."""
    arena.pause(0.5)
    arena.kill(arena.worker())
    return 1


@fault("lease-expired")
def outlive_lease(arena: Arena) -> int:
    """A worker stops in its tracks until its lease has run out and the other has taken over, then
    goes on writing.
    """
    arena.pause(0.5)
    with suspended(arena.process(arena.worker())):
        arena.pause(LEASE_S + 2, LEASE_S + 1)
    return 1


@fault("poison-image")
def poison_image(arena: Arena) -> int:
    """Whichever worker takes this case up is killed, until the case is a dead letter."""
    promise = arena.clients.send(poison(next(arena.numbers)))
    if not promise.receipts:
        return 0
    job = UUID(promise.receipts[0]["job_id"])
    while promise.killed < ATTEMPTS:
        worker = _holder(arena, job, promise)
        if worker is None:
            return 0
        arena.kill(worker)
        promise.killed += 1
    return 1


@fault("broker-emptied")
def empty_broker(arena: Arena) -> int:
    """The broker keeps nothing on a disk: killed, it comes back empty."""
    arena.kill("valkey")
    return 1


@fault("database-killed")
def kill_database(arena: Arena) -> int:
    arena.kill("postgres")
    return 1


@fault("gateway-killed")
def kill_gateway(arena: Arena) -> int:
    """While an upload is half sent."""
    with _half_an_upload(arena):
        arena.kill("api")
    return 1


@fault("upload-cut")
def cut_uploads(arena: Arena) -> int:
    for _ in range(CUT_UPLOADS):
        with _half_an_upload(arena):
            arena.pause(0.1)
    return CUT_UPLOADS


@fault("beat-killed")
def kill_beat(arena: Arena) -> int:
    arena.kill("beat")
    return 1


@fault("objects-away")
def take_objects_away(arena: Arena) -> int:
    """Where the object store was is something that it cannot be."""
    aside = arena.objects.with_name("objects-aside")
    arena.objects.rename(aside)
    arena.objects.touch()
    try:
        arena.pause(OUTAGE_S, OUTAGE_S / 2)
    finally:
        arena.objects.unlink()
        aside.rename(arena.objects)
    return 1


@fault("disk-full")
def fill_disk(arena: Arena) -> int:
    """The gateway can write to no file, neither an object nor its log."""
    with suppress(psutil.NoSuchProcess):
        gateway = arena.process("api")
        usual = gateway.rlimit(resource.RLIMIT_FSIZE)
        gateway.rlimit(resource.RLIMIT_FSIZE, (0, usual[1]))
        arena.pause(OUTAGE_S, OUTAGE_S / 2)
        gateway.rlimit(resource.RLIMIT_FSIZE, usual)
        return 1
    return 0


@fault("clock-jumped")
def jump_clock(arena: Arena) -> int:
    """A worker or the gateway starts again with a wall clock that is a day off, or right again."""
    arena.clock_file.write_text(str(arena.random.choice((-DAY_S, DAY_S, 0))))
    arena.kill(arena.random.choice((arena.worker(), "api")))
    return 1


@fault("rung-again")
def ring_again(arena: Arena) -> int:
    """Rings for jobs that are done, in hand, waiting, or were never there."""
    notifier = CeleryNotifier(celery_app(arena.stack.broker_url))
    known = [
        UUID(job) for promise in arena.clients.promises for job in promise.jobs
    ] or [uuid4()]
    for number in range(RINGS):
        notifier.notify(
            Tasks.INFER, arena.random.choice(known) if number % 2 else uuid4()
        )
    return RINGS


def _holder(arena: Arena, job: UUID, promise: Promise) -> str | None:
    """Who has the job in hand, as soon as somebody took it again; None if it is final, or nobody
    takes it.
    """
    until = time.monotonic() + POISON_S
    while time.monotonic() < until:
        worker, now = arena.in_hand(job, promise.planned.hospital)
        if now is None or now.state in FINAL_STATES:
            return None
        if worker and now.attempts > promise.killed:
            return worker
        arena.pause(0.01)
    return None


def _half_an_upload(arena: Arena) -> socket.socket:
    """A connection over which the head and the beginning of a body went."""
    line = socket.create_connection((arena.stack.host, arena.stack.port), timeout=5)
    head = (
        "POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer "
        f"{arena.clients.any_key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 100000\r\n\r\n"
    )
    line.sendall((head + PART).encode("latin-1"))
    return line
