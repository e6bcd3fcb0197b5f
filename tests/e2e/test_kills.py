"""kill -9 of any part at any time: every case is answered, and once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.builders import png
from tests.e2e.stage import Hospital, Stage, until

KILLS, CASES = 3, 24


@pytest.fixture
def all_answered_once(stage: Stage, north: Hospital):
    """Checks that every one of these cases has ended well and has exactly one result."""

    def check(receipts: list[dict[str, Any]]) -> list[int]:
        jobs = [north.job(receipt["job_id"]) for receipt in receipts]
        assert [job["state"] for job in jobs] == ["done"] * len(receipts)
        ids = [job["job_id"] for job in jobs]
        assert len(set(ids)) == len(ids)
        counted = stage.rows(
            "SELECT count(*), count(DISTINCT job_id) FROM results WHERE job_id::text = ANY(:ids)", ids=ids
        )
        assert counted == [(len(ids), len(ids))]
        attempts = [job["attempts"] for job in jobs]
        assert max(attempts) <= KILLS + 1
        return attempts

    return check


def freeze_at_work(stage: Stage) -> bool:
    """Stop the worker in its tracks; False, and on it goes, if it held no job at that moment."""
    worker = stage.process("worker")
    worker.suspend()
    if stage.rows("SELECT 1 FROM jobs WHERE state = 'running' LIMIT 1"):
        return True
    worker.resume()
    return False


def test_a_worker_killed_with_cases_in_hand_loses_none_and_doubles_none(stage, north, all_answered_once) -> None:
    receipts = []
    for _ in range(KILLS):
        receipts += [north.accepted(png(seed)) for seed in range(CASES // KILLS)]
        until(lambda: freeze_at_work(stage))
        stage.kill("worker")
    attempts = all_answered_once(receipts)
    assert max(attempts) > 1, "cases were in hand when it was killed"
    trail = "SELECT count(*) FROM audit_events WHERE event = 'job.returned' AND job_id::text = ANY(:ids)"
    assert stage.rows(trail, ids=[receipt["job_id"] for receipt in receipts]) == [(sum(attempts) - len(attempts),)]


def test_a_broker_that_comes_back_empty_costs_no_waiting_case(stage, north, all_answered_once) -> None:
    stage.process("worker").suspend()
    receipts = [north.accepted(png(seed)) for seed in range(8)]
    stage.kill("valkey")
    stage.process("worker").resume()
    receipts += [north.accepted(png(seed)) for seed in range(8)]
    assert max(all_answered_once(receipts)) <= 2


def test_a_gateway_killed_while_hospitals_submit_loses_no_case(stage, north, all_answered_once) -> None:
    with ThreadPoolExecutor(6) as clients:
        coming = [clients.submit(north.accepted, png(seed % 10)) for seed in range(CASES)]
        coming[2].result()
        stage.kill("api")
        receipts = [each.result() for each in coming]
    assert all_answered_once(receipts) == [1] * CASES


def test_a_database_killed_with_cases_in_hand_loses_none(stage, north, all_answered_once) -> None:
    receipts = [north.accepted(png(seed)) for seed in range(8)]
    stage.kill("postgres")
    all_answered_once([*receipts, north.accepted(png(9))])


def test_a_killed_clock_and_trainer_come_back(stage: Stage, north: Hospital) -> None:
    for child in ("beat", "trainer"):
        stage.kill(child)
        assert stage.process(child).is_running()
    assert north.read()["state"] == "done"
