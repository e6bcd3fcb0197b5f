"""`python -m services.worker.liveness_probe` judges a worker whose file the test writes."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.worker.liveness_probe import is_stuck, main
from shared.domain.jobs import Priority
from shared.observability.liveness import LivenessReporter, is_overdue
from shared.settings import Settings
from tests.support.builders import CASE

LEASE = timedelta(minutes=5)


@pytest.fixture
def settings(database_url, engines, tmp_path):
    return Settings(
        home=tmp_path,
        worker_name="w1",
        alive_file=tmp_path / "w1.alive",
        database_url=database_url,
        broker_url=engines.broker_url,
    )


@pytest.fixture
def silent(settings):
    """A worker whose deadline passed an hour ago."""
    LivenessReporter(settings.alive_file, -3600, 0).report_progress()
    assert is_overdue(settings.alive_file)


@pytest.fixture
def send(ledger):
    def send():
        with ledger.system_session("test") as session:
            north = session.hospitals.ensure("north")
        with ledger.hospital_session(north, "test") as session:
            return session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)

    return send


def let_pass(ledger, seconds):
    """Moves the times of all jobs back."""
    age = f"interval '{seconds} s'"
    with ledger.engine.begin() as connection:
        columns = ("available_at", "updated_at", "lease_until")
        changes = ", ".join(f"{name} = {name} - {age}" for name in columns)
        connection.execute(text(f"UPDATE jobs SET {changes}"))


def test_a_worker_is_stuck_if_it_is_silent_while_cases_wait(
    settings, silent, send, ledger, monkeypatch
):
    assert not is_stuck(settings)
    send()
    assert not is_stuck(settings), "the case has just come"
    let_pass(ledger, 61)
    assert is_stuck(settings)
    assert not is_stuck(settings.model_copy(update={"stuck_after_s": 120}))


@pytest.mark.parametrize(("worker", "verdict"), [("w1", True), ("w2", False)])
def test_a_case_in_work_for_long_counts_against_its_own_worker_only(
    settings, silent, send, ledger, worker, verdict
):
    send()
    with ledger.system_session(worker) as session:
        session.queue.claim(worker, max_jobs=1, lease=LEASE, max_attempts=5)
    let_pass(ledger, 100)
    assert is_stuck(settings) is verdict


def test_a_case_whose_worker_is_lost_counts_against_every_worker(
    settings, silent, send, ledger
):
    send()
    with ledger.system_session("w2") as session:
        session.queue.claim("w2", max_jobs=1, lease=LEASE, max_attempts=5)
    let_pass(ledger, 400)
    assert is_stuck(settings)


def test_a_worker_with_progress_or_a_long_task_is_alive(settings, silent, send, ledger):
    send()
    let_pass(ledger, 1000)
    liveness = LivenessReporter(
        settings.alive_file, settings.stuck_after_s, settings.long_task_s
    )
    for report in (liveness.report_progress, liveness.report_long_task):
        report()
        assert not is_stuck(settings)


@pytest.mark.parametrize("setting", ["database_url", "broker_url"])
def test_a_worker_whose_engine_is_away_is_not_stuck(
    settings, silent, send, ledger, tmp_path, setting
):
    send()
    let_pass(ledger, 1000)
    urls = {
        "database_url": f"postgresql://x@/sera?host={tmp_path}",
        "broker_url": f"redis+socket://{tmp_path}/none",
    }
    assert not is_stuck(Settings(**settings.model_dump() | {setting: urls[setting]}))


def test_a_worker_that_reports_nothing_is_alive(settings, send, ledger):
    send()
    let_pass(ledger, 1000)
    assert not is_stuck(settings)
    assert not is_stuck(settings.model_copy(update={"alive_file": None}))


def test_the_command_exits_with_1_for_a_stuck_worker(
    settings, silent, send, ledger, monkeypatch
):
    for name in ("home", "worker_name", "alive_file"):
        monkeypatch.setenv(f"SERA_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("SERA_DATABASE_URL", settings.database)
    monkeypatch.setenv("SERA_BROKER_URL", settings.broker)
    output = []
    assert main(output.append) == 0
    send()
    let_pass(ledger, 100)
    assert main(output.append) == 1
    assert output == ["w1 has completed nothing for 60 s while cases wait. Restart it."]


def test_the_file_keeps_its_length_and_no_wall_clock_counts(settings, monkeypatch):
    liveness = LivenessReporter(settings.alive_file, 60, 600)
    liveness.report_progress()
    length = settings.alive_file.stat().st_size
    monkeypatch.setattr("time.time", lambda: 0.0)
    liveness.report_long_task()
    assert settings.alive_file.stat().st_size == length
    assert not is_overdue(settings.alive_file)
