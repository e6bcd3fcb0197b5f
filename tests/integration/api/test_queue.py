from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.ledger.jobs.lease import Failure
from tests.support.builders import form, png

LEASE = timedelta(minutes=1)


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def send(as_role):
    """Submits cases of a hospital; returns the IDs of their jobs."""

    def submit(count, hospital="north", **cases):
        client = as_role(Role.SUBMITTER, hospital)
        return [
            client.post("/v1/cases", **form(png(seed), **cases)).json()["job_id"]
            for seed in range(count)
        ]

    return submit


@pytest.fixture
def fail(ledger):
    """Claims a number of jobs and fails them with a reason."""

    def fail_next(count, reason):
        with ledger.system_session("w") as session:
            lease = session.queue.claim("w", count, LEASE, 5)
            session.queue.fail(
                lease.token, {job.id: Failure(reason) for job in lease.jobs}
            )
        return [str(job.id) for job in lease.jobs]

    return fail_next


def test_waiting_jobs_are_listed_by_hospital_and_lane_with_their_age(
    operator, send, ledger
):
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
    lanes = [(lane["hospital"], lane["lane"], lane["jobs"]) for lane in waiting]
    assert lanes == [
        ("north", "routine", 2),
        ("south", "urgent", 1),
        ("south", "routine", 1),
    ]
    assert [lane["oldest_s"] >= 3600 for lane in waiting] == [False, True, False]


def test_running_jobs_are_listed_with_their_worker_and_expired_leases_come_first(
    operator, send, ledger
):
    running_job, expired_job = send(2)
    with ledger.system_session("w") as session:
        session.queue.claim("w", 2, LEASE, 5)
        session.serving.report("w", "d" * 64, "CPU, 2 threads", timedelta(minutes=1))
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET lease_until = now() - interval '5 s' WHERE id = :id"),
            {"id": expired_job},
        )
    body = operator.get("/v1/queue").json()
    assert (body["running"], body["expired"], body["waiting"]) == (2, 1, [])
    assert [
        (job["job_id"], job["worker"], job["left_s"] > 0) for job in body["in_hand"]
    ] == [
        (expired_job, "w", False),
        (running_job, "w", True),
    ]
    assert [
        (worker["worker"], worker["model"], worker["device"])
        for worker in body["workers"]
    ] == [("w", "d" * 64, "CPU, 2 threads")]
    reported_at, claimed_at = (
        datetime.fromisoformat(body["workers"][0][name])
        for name in ("seen_at", "claimed_at")
    )
    assert timedelta(seconds=59) < reported_at - claimed_at < timedelta(seconds=61)


def test_dead_letters_are_counted_by_reason_and_rerun_by_reason(
    operator, send, fail, ledger
):
    send(4)
    lost_jobs = fail(3, "worker-lost")
    internal_jobs = fail(1, "internal")
    dead = operator.get("/v1/queue").json()["dead"]
    assert [
        (reason_group["reason"], reason_group["jobs"]) for reason_group in dead
    ] == [
        ("worker-lost", 3),
        ("internal", 1),
    ]
    listed = operator.get(
        "/v1/queue/dead-letters", params={"reason": "worker-lost"}
    ).json()
    assert {job["job_id"] for job in listed} == set(lost_jobs)
    answer = operator.post("/v1/queue/rerun", json={"reason": "worker-lost"})
    assert (answer.status_code, answer.json()) == (202, {"queued": 3, "left": 0})
    body = operator.get("/v1/queue").json()
    assert [
        (reason_group["reason"], reason_group["jobs"]) for reason_group in body["dead"]
    ] == [("internal", 1)]
    assert [lane["jobs"] for lane in body["waiting"]] == [3]
    assert operator.post("/v1/queue/rerun", json={"reason": "worker-lost"}).json() == {
        "queued": 0,
        "left": 0,
    }
    with ledger.system_session("test") as session:
        rerun_jobs = [
            str(reason_group.job_id)
            for reason_group in session.audit.page(limit=1000)
            if reason_group.event == Event.JOB_RERUN
        ]
    assert sorted(rerun_jobs) == sorted(lost_jobs)
    assert internal_jobs[0] not in rerun_jobs


@pytest.mark.parametrize("role", [Role.HOSPITAL_ADMIN, Role.AUDITOR])
def test_the_queue_is_for_operators(as_role, role):
    assert as_role(role).get("/v1/queue").status_code == 403
