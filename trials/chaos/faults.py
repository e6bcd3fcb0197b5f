"""The faults, each injected by real means.

A fault is over when its function returns; the trial then waits until the stack is healthy again.
"""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID, uuid4

import psutil

from shared.domain.jobs import FINAL_STATES, JobState
from shared.queueing import CeleryNotifier, celery_app
from shared.queueing.app import Tasks
from trials.chaos.cases import poison
from trials.chaos.file_system import fill
from trials.chaos.rewriting import rewrite_as_service, rewritten_as_owner, unnoticed
from trials.chaos.target_stack import (
    ATTEMPTS,
    LEASE_S,
    STATEMENT_TIMEOUT_S,
    WORKERS,
    TargetStack,
    suspended,
)
from trials.slo import CaseRecord

Fault = Callable[[TargetStack], int]
"""Injects a fault and returns how often; 0 if its target could not be reached."""
FAULTS: dict[str, Fault] = {}

SMALL_DISK_FILLED = "disk-filled"
OUTAGE_S = 2.0
SILENCE_S = (STATEMENT_TIMEOUT_S + 1, STATEMENT_TIMEOUT_S + 6)
"""How long an engine is silent, at least and at most: shorter and longer than the waits for it."""
SLOW_OPEN_S = 0.5
UNTIL_THE_END_S = 3600.0
ANSWER_TIMEOUT_S = 30.0
"""How long to wait for a first answered case."""
DAY_S = 86_400
NOTIFICATIONS = 100
CUT_UPLOADS = 4
POISON_TIMEOUT_S = 120.0
"""How long to wait until a worker claims a poison case. On a busy machine a worker that was killed
needs half a minute to start again."""
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
def kill_worker(target: TargetStack) -> int:
    """Kill a worker at a random moment: claiming, fetching, decoding, inferring or writing."""
    target.pause(0.5)
    target.kill(target.worker())
    return 1


@fault("lease-expired")
def outlive_lease(target: TargetStack) -> int:
    """Suspend a worker until its lease has expired and the other worker has claimed the job.

    Then it resumes and tries to write its result.
    """
    target.pause(0.5)
    with suspended(target.process(target.worker())):
        target.pause(LEASE_S + 2, LEASE_S + 1)
    return 1


@fault("poison-image")
def poison_image(target: TargetStack) -> int:
    """Kill every worker that claims one case, until the case is a dead letter."""
    record = target.clients.send(poison(next(target.numbers)))
    if not record.receipts:
        return 0
    job = UUID(record.receipts[0]["job_id"])
    while record.killed < ATTEMPTS:
        worker = _holder(target, job, record)
        if worker is None:
            return 0
        target.kill(worker)
        record.killed += 1
    return 1


@fault("broker-emptied")
def empty_broker(target: TargetStack) -> int:
    """Kill the broker, which stores nothing on disk and comes back empty."""
    target.kill("valkey")
    return 1


@fault("database-killed")
def kill_database(target: TargetStack) -> int:
    target.kill("postgres")
    return 1


@fault("gateway-killed")
def kill_gateway(target: TargetStack) -> int:
    """Kill the gateway while half an upload is sent."""
    with _half_an_upload(target):
        target.kill("api")
    return 1


@fault("upload-cut")
def cut_uploads(target: TargetStack) -> int:
    for _ in range(CUT_UPLOADS):
        with _half_an_upload(target):
            target.pause(0.1)
    return CUT_UPLOADS


@fault("beat-killed")
def kill_beat(target: TargetStack) -> int:
    target.kill("beat")
    return 1


@fault("objects-away")
def take_objects_away(target: TargetStack) -> int:
    """Put a file where the folder of the object store was."""
    moved_objects = target.objects.with_name("objects-aside")
    target.objects.rename(moved_objects)
    target.objects.touch()
    try:
        target.pause(OUTAGE_S, OUTAGE_S / 2)
    finally:
        target.objects.unlink()
        moved_objects.rename(target.objects)
    return 1


@fault("disk-full")
def fill_disk(target: TargetStack) -> int:
    """Let the gateway write to no file, neither an object nor its log."""
    with suppress(psutil.NoSuchProcess):
        gateway = target.process("api")
        usual = gateway.rlimit(resource.RLIMIT_FSIZE)
        gateway.rlimit(resource.RLIMIT_FSIZE, (0, usual[1]))
        target.pause(OUTAGE_S, OUTAGE_S / 2)
        gateway.rlimit(resource.RLIMIT_FSIZE, usual)
        return 1
    return 0


@fault("clock-jumped")
def jump_clock(target: TargetStack) -> int:
    """Restart a worker or the gateway with a wall clock that is a day off, or right again."""
    child = target.random.choice((target.worker(), "api"))
    target.clock_file(child).write_text(str(target.random.choice((-DAY_S, DAY_S, 0))))
    target.kill(child)
    return 1


@fault("clock-turned")
def turn_clock(target: TargetStack) -> int:
    """Turn the wall clocks of all services by a day while they work, and later turn them back."""
    children = (*WORKERS, "api", "beat")
    files = [target.clock_file(child) for child in children]
    shifts = [file.read_text() if file.exists() else "0" for file in files]
    shift = target.random.choice((-DAY_S, DAY_S))
    for file in files:
        file.write_text(str(shift))
    try:
        target.pause(2 * OUTAGE_S, OUTAGE_S)
    finally:
        for file, former_shift in zip(files, shifts, strict=True):
            file.write_text(former_shift)
    return 1


@fault("database-stopped")
def stop_database(target: TargetStack) -> int:
    """Suspend PostgreSQL: it takes what it is sent and does not respond."""
    return _stop(target, "postgres")


@fault("broker-stopped")
def stop_broker(target: TargetStack) -> int:
    return _stop(target, "valkey")


@fault("objects-slow")
def slow_objects_down(target: TargetStack) -> int:
    """Each file and folder of the object store takes a while to open."""
    with target.delayed_objects(SLOW_OPEN_S):
        target.pause(SILENCE_S[1], SILENCE_S[0])
    return 1


@fault("objects-silent")
def silence_objects(target: TargetStack) -> int:
    """Nothing in the object store can be opened, and whoever tries waits, as with a lost mount."""
    with target.delayed_objects(UNTIL_THE_END_S):
        target.pause(SILENCE_S[1], SILENCE_S[0])
    return 1


@fault("result-rewritten")
def rewrite_result(target: TargetStack) -> int:
    """Rewrite an answered case, first as the services' login, then as the owner of the tables.

    The login has to be refused. What the owner does has to be named by verification, and must not
    be shown.
    """
    record = _answered(target)
    if record is None:
        return 0
    (job_id,) = record.jobs
    job = UUID(job_id)
    stack = target.stack
    target.rewritten += rewrite_as_service(stack.env["SERA_DATABASE_URL"], job)
    with rewritten_as_owner(stack.database_url, job):
        target.clients.refresh_job(record, wait_s=0)
        target.rewritten += unnoticed(job, record.job, target.verify().findings)
    target.clients.refresh_job(record, wait_s=0)
    return 1


@fault(SMALL_DISK_FILLED)
def fill_small_disk(target: TargetStack) -> int:
    """Fill the file system of database, objects and logs; 0 where it could not be mounted."""
    if not target.has_small_disk:
        return 0
    try:
        fill(target.disk_filler)
        target.pause(2 * OUTAGE_S, OUTAGE_S)
    finally:
        target.disk_filler.unlink()
    return 1


@fault("rung-again")
def notify_again(target: TargetStack) -> int:
    """Notify workers of jobs that are done, claimed, waiting, or do not exist."""
    notifier = CeleryNotifier(celery_app(target.stack.broker_url))
    job_ids: list[UUID] = []
    for record in target.clients.records:
        job_ids += [UUID(job) for job in record.jobs]
    if not job_ids:
        job_ids = [uuid4()]
    for number in range(NOTIFICATIONS):
        notifier.notify(
            Tasks.INFER, target.random.choice(job_ids) if number % 2 else uuid4()
        )
    return NOTIFICATIONS


def _stop(target: TargetStack, child: str) -> int:
    with suspended(target.process(child)):
        target.pause(SILENCE_S[1], SILENCE_S[0])
    return 1


def _answered(target: TargetStack) -> CaseRecord | None:
    """A case whose result was read; waits for the first one."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        records = [
            record
            for record in target.clients.records
            if record.job and record.job["state"] == JobState.DONE
        ]
        if records:
            return target.random.choice(records)
        target.pause(1.0)
    return None


def _holder(target: TargetStack, job: UUID, record: CaseRecord) -> str | None:
    """The worker that claims the job next; None if the job is final or nobody claims it."""
    deadline = time.monotonic() + POISON_TIMEOUT_S
    while time.monotonic() < deadline:
        worker, job_now = target.find_holder(job, record.planned.hospital)
        if job_now is None or job_now.state in FINAL_STATES:
            return None
        if worker and job_now.attempts > record.killed:
            return worker
        target.pause(0.01)
    return None


def _half_an_upload(target: TargetStack) -> socket.socket:
    """A connection with the head and the beginning of the body of an upload."""
    connection = socket.create_connection(
        (target.stack.host, target.stack.port), timeout=5
    )
    head = (
        "POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer "
        f"{target.clients.any_key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 100000\r\n\r\n"
    )
    connection.sendall((head + PART).encode("latin-1"))
    return connection
