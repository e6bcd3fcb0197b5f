"""Images that end their decoder or their worker, and workers that are late.

Each case still gets exactly one result.
"""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from services.worker.bundle_cache import BundleCache
from services.worker.inference.loop import InferenceService
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from shared.domain.audit.events import Event
from shared.domain.jobs import JobState, Reason
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.settings import Settings
from tests.support.builders import png
from tests.support.damaged_objects import DAMAGES

ROOT = Path(__file__).parents[3]
SHORT = timedelta(seconds=1)
STUCK = timedelta(seconds=2)


@pytest.fixture
def hire(ledger, objects, decoders, tmp_path):
    """Makes the service of another worker, whose heartbeat renews real leases."""
    heartbeats = []

    def hire(name, lease=SHORT, stuck=STUCK, decoders=decoders, attempts=3):
        def renew(tokens):
            with ledger.system_session(name) as session:
                session.queue.renew(tokens, lease)

        settings = Settings(
            home=tmp_path,
            worker_name=name,
            max_attempts=attempts,
            lease_s=lease.total_seconds(),
        )
        heartbeat = Heartbeat(renew, lease, stuck)
        heartbeat.start()
        heartbeats.append(heartbeat)
        cache = BundleCache(ledger, objects, tmp_path / "cache")
        return InferenceService(
            settings=settings,
            ledger=ledger,
            live=LiveModel(ledger, cache, name),
            preparation=Preparation(objects, decoders),
            heartbeat=heartbeat,
        )

    yield hire
    for heartbeat in heartbeats:
        heartbeat.stop()


@pytest.fixture
def results(ledger):
    """Counts the results, and the jobs that have one."""

    def count():
        with ledger.engine.connect() as connection:
            return connection.exec_driver_sql(
                "SELECT count(*), count(DISTINCT job_id) FROM results"
            ).one()

    return count


@pytest.fixture
def trail(ledger):
    def events(job):
        with ledger.system_session("test") as session:
            return [
                event.event
                for event in session.audit.page(limit=1000)
                if event.job_id == job
            ]

    return events


def test_an_image_that_hangs_its_decoder_fails_alone_and_no_attempt_is_lost(
    hire, promote, send, find
):
    promote(0)
    decoders = SandboxPool(Bounds(seconds=1), 2)
    service = hire("w1", decoders=decoders)
    for seed in range(2):
        decoders.decode(png(seed))
    hanging_pid = min(decoders.pids)
    os.kill(hanging_pid, signal.SIGSTOP)
    jobs = [send(png(seed)) for seed in range(4)]
    service.work()
    finished = [find(job) for job in jobs]
    assert sorted(job.state for job in finished) == [JobState.DONE] * 3 + [
        JobState.FAILED
    ]
    assert {job.attempts for job in finished} == {1}
    (failed,) = (job for job in finished if job.state is JobState.FAILED)
    assert failed.reason == "image-broke-decoder"
    assert failed.facts.keys() == {"problem"}
    assert not psutil.pid_exists(hanging_pid)
    next_job = send(png(5))
    service.work()
    assert find(next_job).state is JobState.DONE
    decoders.close()


def test_a_hanging_worker_loses_its_lease_and_writes_nothing_afterwards(
    hire, promote, send, find, results, trail, monkeypatch
):
    """Its heartbeat goes on, and renews the lease only while the batch makes progress."""
    promote(0)
    slow = hire("slow")
    healthy = hire("healthy")
    job = send()
    is_hanging = threading.Event()
    may_continue = threading.Event()
    infer = slow._infer

    def hang(batch):
        slow._heartbeat.hold(batch.token)
        is_hanging.set()
        assert may_continue.wait(60)
        return infer(batch)

    monkeypatch.setattr(slow, "_infer", hang)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(slow.work)
        assert is_hanging.wait(60)
        while find(job).state is not JobState.DONE:
            healthy.work()
        may_continue.set()
        work.result()
    assert (find(job).state, find(job).attempts) == (JobState.DONE, 2)
    assert results() == (1, 1)
    expected = [
        Event.JOB_CLAIMED,
        Event.JOB_RETURNED,
        Event.JOB_CLAIMED,
        Event.JOB_DONE,
    ]
    assert [event for event in trail(job) if event in expected] == expected


def test_a_lease_is_renewed_only_while_its_work_makes_progress():
    token = uuid4()
    impatient = Heartbeat(lambda tokens: None, SHORT, timedelta(seconds=-1))
    impatient.hold(token)
    assert impatient._drop_stuck() == []
    patient = Heartbeat(lambda tokens: None, SHORT, STUCK)
    patient.hold(token)
    assert patient._drop_stuck() == [token]


def test_fifty_notifications_for_one_case_give_one_result(
    hire, promote, send, find, results
):
    promote(0)
    services = [hire(f"w{number}") for number in range(2)]
    job = send()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda service: [service.work() for _ in range(25)], services))
    assert (find(job).state, find(job).attempts) == (JobState.DONE, 1)
    assert results() == (1, 1)


def test_a_case_that_outlived_a_worker_is_processed_alone(
    hire, promote, send, find, ledger, monkeypatch
):
    promote(0)
    suspects = [send(png(seed)) for seed in range(3)]
    with ledger.system_session("gone") as session:
        session.queue.claim(
            "gone", max_jobs=3, lease=timedelta(seconds=-1), max_attempts=3
        )
    new_jobs = [send(png(seed)) for seed in range(12)]
    service = hire("w1", timedelta(minutes=1))
    max_running = {}
    prepare = service._preparation.prepare
    infer = service._infer

    def count(jobs):
        with ledger.engine.connect() as connection:
            running = connection.exec_driver_sql(
                "SELECT count(*) FROM jobs WHERE state = 'running'"
            ).scalar()
        for job in jobs:
            max_running[job] = max(max_running.get(job, 0), running)

    def count_and_prepare(lease, *arguments):
        count([job.id for job in lease.jobs])
        return prepare(lease, *arguments)

    def count_and_infer(batch):
        count(batch.job_ids)
        return infer(batch)

    monkeypatch.setattr(service._preparation, "prepare", count_and_prepare)
    monkeypatch.setattr(service, "_infer", count_and_infer)
    service.work()
    assert {find(job).state for job in suspects + new_jobs} == {JobState.DONE}
    assert {max_running[job] for job in suspects} == {1}
    assert max(max_running[job] for job in new_jobs) > 1


POISONED = """
import os, signal, sys
from services.worker.inference import loop as inference
from services.worker.__main__ import bootstrap
from shared.observability.liveness import LivenessReporter
from shared.settings import Settings

predict = inference.InferenceService._predict
def predict_or_die(self, served, prepared_jobs):
    hashes = [prepared.job.image_sha256 for prepared in prepared_jobs]
    if sys.argv[1] in hashes:
        print('decoder', *self._preparation._decoders.pids, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return predict(self, served, prepared_jobs)
inference.InferenceService._predict = predict_or_die
for _ in range(2):
    worker = os.fork()
    if not worker:
        service = bootstrap(Settings(), LivenessReporter(None, 60, 60)).inference
        service.open()
        service.work()
    assert os.WTERMSIG(os.waitpid(worker, 0)[1]) == signal.SIGKILL
"""


def test_an_image_that_kills_its_worker_is_a_dead_letter_and_the_rest_of_its_batch_is_answered_once(
    hire, promote, send, find, results, objects, database_url, tmp_path
):
    """Real workers, ended by kill -9 each time they read it. Their decoders end too."""
    promote(0)
    batch_jobs = [send(png(seed)) for seed in range(2)]
    culprit = send(png(9))
    batch_jobs.append(send(png(2)))
    environment = {
        "SERA_DATABASE_URL": database_url.replace("+psycopg2", ""),
        "SERA_OBJECTS_URL": (tmp_path / "objects").as_uri(),
        "SERA_HOME": str(tmp_path),
        "SERA_WORKER_NAME": "poisoned",
        "SERA_MAX_ATTEMPTS": "2",
        "SERA_DECODERS": "1",
    }
    command = [sys.executable, "-c", POISONED, objects.put(png(9)).sha256]
    workers = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    decoder_pids = [
        int(line.split()[1])
        for line in workers.stdout.splitlines()
        if line.startswith("decoder ")
    ]
    assert len(decoder_pids) == 2
    service = hire("poisoned", attempts=2)
    service.open()
    service.work()
    dead_letter = find(culprit)
    assert dead_letter.state is JobState.FAILED
    assert dead_letter.reason == Reason.WORKER_LOST
    assert dead_letter.attempts == 2
    assert [(find(job).state, find(job).attempts) for job in batch_jobs] == [
        (JobState.DONE, 2)
    ] * 3
    assert results() == (3, 3)
    assert not any(is_alive(pid) for pid in decoder_pids)


def is_alive(pid):
    return (
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    )


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_case_whose_stored_image_is_damaged_fails_once_and_alone(
    service, send, find, promote, ledger, objects, tmp_path, damage
):
    promote(1)
    job = send(png(3))
    other_job = send(png(4))
    sha256 = hashlib.sha256(png(3)).hexdigest()
    (stored,) = (tmp_path / "objects").rglob(sha256)
    damage(stored)
    service.work()
    failed = find(job)
    assert (failed.state, failed.reason) == (JobState.FAILED, DAMAGES[damage][1])
    assert failed.attempts == 1
    assert find(other_job).state is JobState.DONE
    with ledger.system_session("test") as session:
        events = session.audit.page(limit=1000)
    reasons = [
        event.details["reason"] for event in events if event.event == Event.JOB_FAILED
    ]
    assert reasons == [DAMAGES[damage][1]]
