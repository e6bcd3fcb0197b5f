from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.ledger.jobs.queue import Failure
from tests.support.builders import form, png

LEASE = timedelta(minutes=1)


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def send(as_role):
    """Submits cases of a hospital."""

    def sent(count, hospital="north", **cases):
        client = as_role(Role.SUBMITTER, hospital)
        return [
            client.post("/v1/cases", **form(png(seed), **cases)).json()["job_id"]
            for seed in range(count)
        ]

    return sent


@pytest.fixture
def fail(ledger):
    """Claims so many jobs and fails them for a reason."""

    def failed(count, reason):
        with ledger.system_session("w") as session:
            lease = session.queue.claim("w", count, LEASE, 5)
            session.queue.fail(
                lease.token, {job.id: Failure(reason) for job in lease.jobs}
            )
        return [str(job.id) for job in lease.jobs]

    return failed


def test_what_waits_is_told_by_hospital_and_lane_with_its_age(operator, send, ledger):
    send(2)
    send(1, "south", priority="urgent")
    send(1, "south")
    with ledger.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE jobs SET queued_at = queued_at - interval '1 hour' WHERE urgent"
            )
        )
    waiting = operator.get("/v1/queue").json()["waiting"]
    rows = [(item["hospital"], item["lane"], item["jobs"]) for item in waiting]
    assert rows == [
        ("north", "routine", 2),
        ("south", "urgent", 1),
        ("south", "routine", 1),
    ]
    assert [row["oldest_s"] >= 3600 for row in waiting] == [False, True, False]


def test_what_is_in_hand_is_told_with_its_worker_and_a_lease_that_ran_out_leads(
    operator, send, ledger
):
    held, lost_jobs = send(2)
    with ledger.system_session("w") as session:
        session.queue.claim("w", 2, LEASE, 5)
        session.serving.report("w", "d" * 64, "CPU, 2 threads", timedelta(minutes=1))
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET lease_until = now() - interval '5 s' WHERE id = :id"),
            {"id": lost_jobs},
        )
    body = operator.get("/v1/queue").json()
    assert (body["running"], body["expired"], body["waiting"]) == (2, 1, [])
    assert [
        (item["job_id"], item["worker"], item["left_s"] > 0) for item in body["in_hand"]
    ] == [
        (lost_jobs, "w", False),
        (held, "w", True),
    ]
    assert [
        (worker["worker"], worker["model"], worker["device"])
        for worker in body["workers"]
    ] == [("w", "d" * 64, "CPU, 2 threads")]
    seen_at, claimed = (
        datetime.fromisoformat(body["workers"][0][name])
        for name in ("seen_at", "claimed_at")
    )
    assert timedelta(seconds=59) < seen_at - claimed < timedelta(seconds=61)


def test_dead_letters_are_counted_by_reason_and_those_of_one_are_queued_again_at_once(
    operator, send, fail, ledger
):
    send(4)
    lost_jobs = fail(3, "worker-lost")
    odd = fail(1, "internal")
    dead = operator.get("/v1/queue").json()["dead"]
    assert [(item["reason"], item["jobs"]) for item in dead] == [
        ("worker-lost", 3),
        ("internal", 1),
    ]
    listed = operator.get(
        "/v1/queue/dead-letters", params={"reason": "worker-lost"}
    ).json()
    assert {row["job_id"] for row in listed} == set(lost_jobs)
    answer = operator.post("/v1/queue/rerun", json={"reason": "worker-lost"})
    assert (answer.status_code, answer.json()) == (202, {"queued": 3, "left": 0})
    body = operator.get("/v1/queue").json()
    assert [(entry["reason"], entry["jobs"]) for entry in body["dead"]] == [
        ("internal", 1)
    ]
    assert [element["jobs"] for element in body["waiting"]] == [3]
    assert operator.post("/v1/queue/rerun", json={"reason": "worker-lost"}).json() == {
        "queued": 0,
        "left": 0,
    }
    with ledger.system_session("test") as session:
        rows = [
            str(item.job_id)
            for item in session.audit.page(limit=1000)
            if item.event == Event.JOB_RERUN
        ]
    assert sorted(rows) == sorted(lost_jobs)
    assert odd[0] not in rows


@pytest.mark.parametrize("role", [Role.HOSPITAL_ADMIN, Role.AUDITOR])
def test_the_queue_is_for_operators(as_role, role):
    assert as_role(role).get("/v1/queue").status_code == 403
