"""What `python -m services.worker.liveness_probe` says of a worker, whose file a test writes."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.worker.liveness_probe import main, is_stuck
from shared.domain.jobs import Priority
from shared.observability.liveness import LivenessReporter, is_overdue
from shared.settings import Settings
from tests.support.builders import CASE

LEASE = timedelta(minutes=5)


@pytest.fixture
def settings(database_url, engines, tmp_path):
    told = {"database_url": database_url, "broker_url": engines.broker_url}
    return Settings(
        home=tmp_path, worker_name="w1", alive_file=tmp_path / "w1.alive", **told
    )


@pytest.fixture
def silent(settings):
    """A worker that has said nothing for an hour."""
    LivenessReporter(settings.alive_file, -3600, 0).report_progress()
    assert is_overdue(settings.alive_file)


@pytest.fixture
def send(ledger):
    def sent():
        with ledger.system_session("test") as house:
            north = house.hospitals.ensure("north")
        with ledger.hospital_session(north, "test") as book:
            return book.jobs.create(book.cases.add(CASE), Priority.ROUTINE)

    return sent


def later(ledger, seconds):
    """All jobs as they were so many seconds ago."""
    ago = f"interval '{seconds} s'"
    with ledger.engine.begin() as line:
        moved = ", ".join(
            f"{name} = {name} - {ago}"
            for name in ("available_at", "updated_at", "lease_until")
        )
        line.execute(text(f"UPDATE jobs SET {moved}"))


def test_a_worker_is_stuck_if_it_is_silent_while_cases_wait(
    settings, silent, send, ledger, monkeypatch
):
    assert not is_stuck(settings)
    send()
    assert not is_stuck(settings), "the case has just come"
    later(ledger, 61)
    assert is_stuck(settings)
    assert not is_stuck(settings.model_copy(update={"stuck_after_s": 120}))


@pytest.mark.parametrize(("worker", "verdict"), [("w1", True), ("w2", False)])
def test_a_case_in_hand_for_long_is_its_own_workers_matter(
    settings, silent, send, ledger, worker, verdict
):
    send()
    with ledger.system_session(worker) as house:
        house.queue.claim(worker, 1, LEASE, 5)
    later(ledger, 100)
    assert is_stuck(settings) is verdict


def test_a_case_whose_worker_is_gone_waits_for_all(settings, silent, send, ledger):
    send()
    with ledger.system_session("w2") as house:
        house.queue.claim("w2", 1, LEASE, 5)
    later(ledger, 400)
    assert is_stuck(settings)


def test_a_worker_that_gets_on_or_is_at_something_long_is_alive(
    settings, silent, send, ledger
):
    send()
    later(ledger, 1000)
    progress = LivenessReporter(
        settings.alive_file, settings.stuck_after_s, settings.long_task_s
    )
    for told in (progress.report_progress, progress.report_long_task):
        told()
        assert not is_stuck(settings)


@pytest.mark.parametrize("away", ["database_url", "broker_url"])
def test_nothing_is_held_against_a_worker_without_its_engines(
    settings, silent, send, ledger, tmp_path, away
):
    send()
    later(ledger, 1000)
    urls = {
        "database_url": f"postgresql://x@/sera?host={tmp_path}",
        "broker_url": f"redis+socket://{tmp_path}/none",
    }
    assert not is_stuck(Settings(**settings.model_dump() | {away: urls[away]}))


def test_a_worker_that_was_never_told_to_say_so_is_alive(settings, send, ledger):
    send()
    later(ledger, 1000)
    assert not is_stuck(settings)
    assert not is_stuck(settings.model_copy(update={"alive_file": None}))


def test_the_command_says_it_with_its_exit_code(
    settings, silent, send, ledger, monkeypatch
):
    for name in ("home", "worker_name", "alive_file"):
        monkeypatch.setenv(f"SERA_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("SERA_DATABASE_URL", settings.database)
    monkeypatch.setenv("SERA_BROKER_URL", settings.broker)
    said = []
    assert main(said.append) == 0
    send()
    later(ledger, 100)
    assert main(said.append) == 1
    assert said == ["w1 has completed nothing for 60 s while cases wait. Restart it."]


def test_what_is_written_keeps_its_length_and_no_wall_clock_counts(
    settings, monkeypatch
):
    progress = LivenessReporter(settings.alive_file, 60, 600)
    progress.report_progress()
    length = settings.alive_file.stat().st_size
    monkeypatch.setattr("time.time", lambda: 0.0)
    progress.report_long_task()
    assert settings.alive_file.stat().st_size == length
    assert not is_overdue(settings.alive_file)
