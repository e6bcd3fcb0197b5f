"""kill -9 of any part at any time: every case is answered, and once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.e2e.stage import Hospital, Stage, until
from tests.support.builders import png

pytestmark = pytest.mark.timeout(600)  # the first test waits for a model to be trained

KILLS_SHORT = 1
KILLS_LONG = 3
CASES = 24
CASES_BEFORE_A_KILL = 8
JOBS_IN_HAND = "SELECT 1 FROM jobs WHERE state = 'running' LIMIT 1"
Receipts = list[dict[str, Any]]
AllAnsweredOnce = Callable[..., list[int]]


@pytest.fixture
def all_answered_once(stage: Stage, north: Hospital) -> AllAnsweredOnce:
    """Checks that every one of these cases ended well with exactly one result; returns the attempts
    each took.
    """

    def check(receipts: Receipts, kills: int = 1) -> list[int]:
        jobs = [north.job(receipt["job_id"]) for receipt in receipts]
        assert [job["state"] for job in jobs] == ["done"] * len(receipts)
        ids = [job["job_id"] for job in jobs]
        assert len(set(ids)) == len(ids)
        counted = stage.rows(
            "SELECT count(*), count(DISTINCT job_id) FROM results WHERE job_id::text = ANY(:ids)",
            ids=ids,
        )
        assert counted == [(len(ids), len(ids))]
        attempts = [job["attempts"] for job in jobs]
        assert max(attempts) <= kills + 1
        return attempts

    return check


def submit_and_suspend(stage: Stage, north: Hospital, receipts: Receipts) -> bool:
    """Submit another case, and stop the worker in its tracks if it holds a job just then."""
    receipts.append(north.accepted(png(len(receipts) % 10)))
    return stage.suspend_holding("worker", JOBS_IN_HAND)


def test_a_worker_killed_with_cases_in_hand_loses_none_and_doubles_none(
    stage: Stage, north: Hospital, all_answered_once: AllAnsweredOnce, long: bool
) -> None:
    receipts: Receipts = []
    kills = KILLS_LONG if long else KILLS_SHORT
    for _ in range(kills):
        receipts += [north.accepted(png(seed)) for seed in range(CASES_BEFORE_A_KILL)]
        until(partial(submit_and_suspend, stage, north, receipts))
        stage.kill("worker")
    attempts = all_answered_once(receipts, kills)
    assert max(attempts) > 1, "cases were in hand when it was killed"
    trail = (
        "SELECT count(*) FROM audit_events WHERE event = 'job.returned' AND job_id::text = "
        "ANY(:ids)"
    )
    assert stage.rows(trail, ids=[receipt["job_id"] for receipt in receipts]) == [
        (sum(attempts) - len(attempts),)
    ]


def test_a_broker_that_comes_back_empty_costs_no_waiting_case(
    stage: Stage, north: Hospital, all_answered_once: AllAnsweredOnce
) -> None:
    stage.process("worker").suspend()
    receipts = [north.accepted(png(seed)) for seed in range(8)]
    stage.kill("valkey")
    stage.process("worker").resume()
    receipts += [north.accepted(png(seed)) for seed in range(8)]
    assert max(all_answered_once(receipts)) <= 2


def test_a_gateway_killed_while_hospitals_submit_loses_no_case(
    stage: Stage, north: Hospital, all_answered_once: AllAnsweredOnce
) -> None:
    with ThreadPoolExecutor(6) as clients:
        coming = [
            clients.submit(north.accepted, png(seed % 10)) for seed in range(CASES)
        ]
        coming[2].result()
        stage.kill("api")
        receipts = [item.result() for item in coming]
    assert all_answered_once(receipts) == [1] * CASES


def test_a_database_killed_between_cases_loses_none(
    stage: Stage, north: Hospital, all_answered_once: AllAnsweredOnce
) -> None:
    receipts = [north.accepted(png(seed)) for seed in range(8)]
    stage.kill("postgres")
    assert len(all_answered_once([*receipts, north.accepted(png(9))])) == 9


def test_a_killed_clock_and_trainer_come_back(stage: Stage, north: Hospital) -> None:
    for child in ("beat", "trainer"):
        stage.kill(child)
        assert stage.process(child).is_running()
    assert north.read()["state"] == "done"
