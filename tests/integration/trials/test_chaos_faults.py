"""Faults of a trial, each alone: what it does while it lasts, and that nothing of it stays."""

import errno
import itertools
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import psutil
import pytest

from deploy.local.home import Home
from shared.domain.jobs import Priority
from shared.ledger import Ledger
from tests.e2e.stage import until
from tests.support.builders import CASE, result
from trials.chaos import FAULTS
from trials.chaos.faults import DAY_S, SLOW_OPEN_S
from trials.chaos.file_system import NoFileSystem, small_file_system
from trials.chaos.rewriting import (
    rewrite_as_service,
    rewritten_as_owner,
    unnoticed,
)
from trials.chaos.target_stack import ChildPhases, TargetStack, extra_env, services

SMALL_MIB = 2
HOUR_S = 3600
A_WHILE_S = 0.5
FAMILY = "import subprocess; subprocess.run(['sleep', '600'])"
SERVICE = """
import pathlib, sys, time
for line in sys.stdin:
    if line == "clock\\n":
        print(time.time(), flush=True)
    else:
        print(pathlib.Path(line.rstrip()).read_text(), flush=True)
"""


@dataclass
class WatchedTarget(TargetStack):
    """A target on which nothing runs but what a test needs. A test acts while a fault lasts."""

    while_it_lasts: Callable[[], object] = lambda: None

    def pause(self, max_s: float, min_s: float = 0.0) -> None:
        self.while_it_lasts()


@pytest.fixture
def target(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    home.objects.mkdir()
    return WatchedTarget(
        stack=SimpleNamespace(home=home, state=SimpleNamespace(pids={})),
        phases=ChildPhases(),
        clients=SimpleNamespace(records=[]),
        ledger=None,
        hospitals={},
        random=random.Random(0),
        numbers=itertools.count(),
    )


@pytest.fixture
def family():
    """A process with a child of its own."""
    with subprocess.Popen([sys.executable, "-c", FAMILY]) as parent:
        process = psutil.Process(parent.pid)
        family = [process, *until(process.children)]
        yield family
        for member in family:
            member.kill()


@pytest.fixture
def service(target):
    """A process in the surroundings of a gateway under trial, which answers lines."""
    home = target.stack.home.root
    (gateway,) = [child for child in services(home) if child.name == "api"]
    env = os.environ | extra_env(home) | dict(gateway.env)
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE], env=env, stdin=-1, stdout=-1, text=True
    ) as process:
        yield process
        process.kill()


def ask(service, line):
    service.stdin.write(f"{line}\n")
    service.stdin.flush()


def answer(service, line):
    ask(service, line)
    return service.stdout.readline().strip()


def clock_shift_s(service):
    """By how many seconds the clock of the service is off, to the hour."""
    return round((float(answer(service, "clock")) - time.time()) / HOUR_S) * HOUR_S


@pytest.mark.parametrize(
    ("fault", "engine"),
    [("database-stopped", "postgres"), ("broker-stopped", "valkey")],
)
def test_a_stopped_engine_is_suspended_with_all_its_processes_and_goes_on(
    target, family, fault, engine
):
    def all_are(status):
        return all(member.status() == status for member in family)

    stopped = []
    target.stack.state.pids[engine] = family[0].pid
    target.while_it_lasts = lambda: stopped.append(
        until(lambda: all_are(psutil.STATUS_STOPPED))
    )
    assert FAULTS[fault](target) == 1
    assert stopped == [True]
    assert until(lambda: all_are(psutil.STATUS_SLEEPING))


@pytest.fixture
def image(target):
    """An image in the object store."""
    file = target.stack.home.objects / "image"
    file.write_text("an image")
    return file


def test_opening_anything_in_a_slow_store_takes_a_while_and_ends(
    target, service, image
):
    durations_s = []

    def open_image():
        started = time.monotonic()
        assert answer(service, image) == "an image"
        durations_s.append(time.monotonic() - started)

    target.while_it_lasts = open_image
    assert FAULTS["objects-slow"](target) == 1
    assert durations_s[0] >= SLOW_OPEN_S


def test_a_silent_store_keeps_waiting_whoever_opens_anything_in_it_and_no_other(
    target, service, image
):
    other = target.stack.home.root / "other"
    other.write_text("something else")

    def open_both():
        assert answer(service, other) == "something else"
        ask(service, image)
        answers, _, _ = select.select([service.stdout], [], [], A_WHILE_S)
        assert answers == []

    target.while_it_lasts = open_both
    assert FAULTS["objects-silent"](target) == 1
    assert service.stdout.readline().strip() == "an image"


def test_the_clocks_of_running_services_are_turned_and_turned_back(target, service):
    shifts = []
    target.while_it_lasts = lambda: shifts.append(until(lambda: clock_shift_s(service)))
    assert clock_shift_s(service) == 0
    assert FAULTS["clock-turned"](target) == 1
    assert abs(shifts[0]) == DAY_S
    assert until(lambda: clock_shift_s(service) == 0)


@pytest.fixture
def job(ledger):
    """A case that was answered with the risk 0.12."""
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)
    with ledger.system_session("worker") as system:
        lease = system.queue.claim("w", 1, timedelta(minutes=1), 5)
        answers = {lease.jobs[0].id: result(risk=0.12)}
        assert system.queue.finish(lease.token, "d" * 64, answers)
    return AnsweredJob(ledger=ledger, hospital=hospital, id=lease.jobs[0].id)


@dataclass(frozen=True)
class AnsweredJob:
    ledger: Ledger
    hospital: UUID
    id: UUID

    def shown(self):
        """What the service shows of the job."""
        with self.ledger.hospital_session(self.hospital, "test") as session:
            job = session.jobs.find(self.id)
        return {"state": job.state, "reason": job.reason, "result": job.result}


def test_the_services_login_rewrites_no_answered_case(database_url, job):
    assert list(rewrite_as_service(database_url, job.id)) == []
    assert job.shown()["result"].risk == 0.12


def test_a_service_that_could_rewrite_results_is_told_on(ledger, database_url, job):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("GRANT UPDATE ON results TO sera_house")
        owner.exec_driver_sql("ALTER TABLE results DISABLE TRIGGER USER")
    (sentence,) = rewrite_as_service(database_url, job.id)
    assert sentence.startswith("the result of job")


def test_what_the_owner_rewrites_is_named_and_not_shown_and_afterwards_as_it_was(
    target, ledger, database_url, job
):
    target.ledger = ledger
    with rewritten_as_owner(database_url, job.id):
        findings = target.verify().findings
        shown = job.shown()
        assert list(unnoticed(job.id, shown, findings)) == []
    assert target.verify().findings == ()
    assert job.shown()["result"].risk == 0.12


def test_a_rewritten_result_that_is_shown_or_not_named_is_told_on(target, ledger, job):
    target.ledger = ledger
    sentences = list(unnoticed(job.id, job.shown(), target.verify().findings))
    assert [str(job.id) in sentence for sentence in sentences] == [True, True]
    assert len(list(unnoticed(job.id, None, ()))) == 2


def test_a_file_system_of_its_own_is_filled_and_goes_with_its_content_kept(
    target, tmp_path
):
    home = tmp_path / "small"
    target.stack.home = Home(home)

    def write_to_the_full_disk():
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (home / "new").write_text("something")

    def fill_it():
        with small_file_system(home, SMALL_MIB):
            target.has_small_disk = True
            target.while_it_lasts = write_to_the_full_disk
            count = FAULTS["disk-filled"](target)
            (home / "later").write_text("something")
        return count

    # In a thread of its own, which keeps its own list of mounts until it ends.
    with ThreadPoolExecutor(1) as thread:
        try:
            assert thread.submit(fill_it).result() == 1
        except NoFileSystem as reason:
            pytest.skip(str(reason))
    assert (home / "later").read_text() == "something"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "small"]
    assert not home.is_mount()


def test_without_a_file_system_of_its_own_no_disk_is_filled(target):
    assert FAULTS["disk-filled"](target) == 0
    assert list(target.stack.home.root.glob("filler")) == []
