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

from shared.domain.jobs import FINAL_STATES
from shared.queueing import CeleryNotifier, celery_app
from shared.queueing.app import Tasks
from trials.chaos.cases import poison
from trials.chaos.target_stack import ATTEMPTS, LEASE_S, TargetStack, suspended
from trials.slo import CaseRecord

Fault = Callable[[TargetStack], int]
"""Injects a fault and returns how often; 0 if its target could not be reached."""
FAULTS: dict[str, Fault] = {}

OUTAGE_S = 2.0
DAY_S = 86_400
NOTIFICATIONS = 100
CUT_UPLOADS = 4
POISON_TIMEOUT_S = 30.0
"""How long to wait until a worker claims a poison case."""
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
    target.clock_file.write_text(str(target.random.choice((-DAY_S, DAY_S, 0))))
    target.kill(target.random.choice((target.worker(), "api")))
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
