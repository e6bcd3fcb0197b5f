"""Images that take their decoder or their worker along, and workers that come late: one result a case, and no more."""

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

ROOT = Path(__file__).parents[3]
SHORT = timedelta(seconds=1)
STUCK = timedelta(seconds=2)


@pytest.fixture
def hire(ledger, objects, decoders, tmp_path):
    """Another worker's desk, whose heartbeat renews real leases."""
    hearts = []

    def hired(name, lease=SHORT, stuck=STUCK, decoders=decoders, attempts=3):
        def renew(tokens):
            with ledger.system_session(name) as house:
                house.queue.renew(tokens, lease)

        settings = Settings(
            home=tmp_path,
            worker_name=name,
            max_attempts=attempts,
            lease_s=lease.total_seconds(),
        )
        hearts.append(Heartbeat(renew, lease, stuck))
        hearts[-1].start()
        live = LiveModel(ledger, BundleCache(ledger, objects, tmp_path / "cache"), name)
        return InferenceService(
            settings, ledger, live, Preparation(objects, decoders), hearts[-1]
        )

    yield hired
    for heart in hearts:
        heart.stop()


@pytest.fixture
def results(ledger):
    """How many results there are, of how many jobs."""

    def counted():
        with ledger.engine.connect() as connection:
            return connection.exec_driver_sql(
                "SELECT count(*), count(DISTINCT job_id) FROM results"
            ).one()

    return counted


@pytest.fixture
def trail(ledger):
    def events(job):
        with ledger.system_session("test") as house:
            return [
                each.event
                for each in house.audit.page(limit=1000)
                if each.job_id == job
            ]

    return events


def test_an_image_that_hangs_its_decoder_fails_alone_and_no_attempt_is_lost(
    hire, promote, send, find
):
    promote(0)
    frail = SandboxPool(Bounds(seconds=1), 2)
    desk = hire("w1", decoders=frail)
    for seed in range(2):
        frail.decode(png(seed))
    before = set(frail.pids)
    os.kill(min(before), signal.SIGSTOP)
    jobs = [send(png(seed)) for seed in range(4)]
    desk.work()
    ended = [find(job) for job in jobs]
    assert sorted(job.state for job in ended) == [JobState.DONE] * 3 + [JobState.FAILED]
    assert {job.attempts for job in ended} == {1}
    (failed,) = (job for job in ended if job.state is JobState.FAILED)
    assert failed.reason == "image-broke-decoder"
    assert failed.facts.keys() == {"problem"}
    assert not psutil.pid_exists(min(before))
    following = send(png(5))
    desk.work()
    assert find(following).state is JobState.DONE
    frail.close()


def test_a_worker_that_hangs_is_let_go_and_writes_nothing_when_it_comes_to(
    hire, promote, send, find, results, trail, monkeypatch
):
    """Its heart goes on beating, and holds its lease no longer than something moves."""
    promote(0)
    late = hire("late")
    other = hire("other")
    job = send()
    hangs = threading.Event()
    goes_on = threading.Event()
    infer = late._infer

    def hanging(batch):
        late._heartbeat.hold(batch.token)
        hangs.set()
        assert goes_on.wait(60)
        return infer(batch)

    monkeypatch.setattr(late, "_infer", hanging)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(late.work)
        assert hangs.wait(60)
        while find(job).state is not JobState.DONE:
            other.work()
        goes_on.set()
        working.result()
    assert (find(job).state, find(job).attempts) == (JobState.DONE, 2)
    assert results() == (1, 1)
    claimed = [Event.JOB_CLAIMED, Event.JOB_RETURNED, Event.JOB_CLAIMED, Event.JOB_DONE]
    assert [event for event in trail(job) if event in claimed] == claimed


def test_a_lease_is_renewed_while_something_moves_and_not_for_ever():
    token = uuid4()
    heart = Heartbeat(lambda tokens: None, SHORT, timedelta(seconds=-1))
    heart.hold(token)
    assert heart._moving() == []
    patient = Heartbeat(lambda tokens: None, SHORT, STUCK)
    patient.hold(token)
    assert patient._moving() == [token]


def test_fifty_rings_for_one_case_give_one_result(hire, promote, send, find, results):
    promote(0)
    desks = [hire(f"w{number}") for number in range(2)]
    job = send()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda desk: [desk.work() for _ in range(25)], desks))
    assert (find(job).state, find(job).attempts) == (JobState.DONE, 1)
    assert results() == (1, 1)


def test_a_case_that_outlived_a_worker_is_in_hand_alone(
    hire, promote, send, find, ledger, monkeypatch
):
    promote(0)
    lost = [send(png(seed)) for seed in range(3)]
    with ledger.system_session("gone") as house:
        house.queue.claim("gone", 3, timedelta(seconds=-1), 3)
    fresh = [send(png(seed)) for seed in range(12)]
    desk = hire("w1", timedelta(minutes=1))
    in_hand = {}
    prepare = desk._preparation.prepare
    infer = desk._infer

    def count(jobs):
        with ledger.engine.connect() as connection:
            running = connection.exec_driver_sql(
                "SELECT count(*) FROM jobs WHERE state = 'running'"
            ).scalar()
        for job in jobs:
            in_hand[job] = max(in_hand.get(job, 0), running)

    monkeypatch.setattr(
        desk._preparation,
        "prepare",
        lambda lease, *rest: (count([j.id for j in lease.jobs]), prepare(lease, *rest))[
            1
        ],
    )
    monkeypatch.setattr(
        desk, "_infer", lambda batch: (count(batch.jobs), infer(batch))[1]
    )
    desk.work()
    assert {find(job).state for job in lost + fresh} == {JobState.DONE}
    assert {in_hand[job] for job in lost} == {1}
    assert max(in_hand[job] for job in fresh) > 1


POISONED = """
import os, signal, sys
from services.worker.inference import loop as inference
from services.worker.__main__ import bootstrap
from shared.observability.liveness import Progress
from shared.settings import Settings

infer = inference.InferenceService._predict
def poisoned(self, served, ready):
    if any(prepared.job.image_sha256 == sys.argv[1] for prepared in ready):
        print('decoder', *self._preparation._decoders.pids, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return infer(self, served, ready)
inference.InferenceService._predict = poisoned
for _ in range(2):
    worker = os.fork()
    if not worker:
        desk = bootstrap(Settings(), Progress(None, 60, 60))[0]
        desk.open()
        desk.work()
    assert os.WTERMSIG(os.waitpid(worker, 0)[1]) == signal.SIGKILL
"""


def test_an_image_that_kills_its_worker_is_a_dead_letter_and_its_batch_mates_are_answered_once(
    hire, promote, send, find, results, objects, database_url, tmp_path
):
    """Real workers, ended by kill -9 each time they read it; no decoder is left of them."""
    promote(0)
    mates = [send(png(seed)) for seed in range(2)]
    culprit = send(png(9))
    mates.append(send(png(2)))
    told = {
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
        env=os.environ | told,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    left = [
        int(line.split()[1])
        for line in workers.stdout.splitlines()
        if line.startswith("decoder ")
    ]
    assert len(left) == 2
    desk = hire("poisoned", attempts=2)
    desk.open()
    desk.work()
    ended = find(culprit)
    assert (ended.state, ended.reason, ended.attempts) == (
        JobState.FAILED,
        Reason.WORKER_LOST,
        2,
    )
    assert [(find(job).state, find(job).attempts) for job in mates] == [
        (JobState.DONE, 2)
    ] * 3
    assert results() == (3, 3)
    assert not any(alive(pid) for pid in left)


def alive(pid):
    return (
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    )
