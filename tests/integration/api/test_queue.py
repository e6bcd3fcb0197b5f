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

    def sent(count, hospital="north", **more):
        client = as_role(Role.SUBMITTER, hospital)
        return [
            client.post("/v1/cases", **form(png(seed), **more)).json()["job_id"]
            for seed in range(count)
        ]

    return sent


@pytest.fixture
def fail(ledger):
    """Claims so many jobs and fails them for a reason."""

    def failed(count, reason):
        with ledger.system_session("w") as house:
            lease = house.queue.claim("w", count, LEASE, 5)
            house.queue.fail(
                lease.token, {job.id: Failure(reason) for job in lease.jobs}
            )
        return [str(job.id) for job in lease.jobs]

    return failed


def test_what_waits_is_told_by_hospital_and_lane_with_its_age(operator, send, ledger):
    send(2)
    send(1, "south", priority="urgent")
    send(1, "south")
    with ledger.engine.begin() as line:
        line.execute(
            text(
                "UPDATE jobs SET queued_at = queued_at - interval '1 hour' WHERE urgent"
            )
        )
    waiting = operator.get("/v1/queue").json()["waiting"]
    told = [(each["hospital"], each["lane"], each["jobs"]) for each in waiting]
    assert told == [
        ("north", "routine", 2),
        ("south", "urgent", 1),
        ("south", "routine", 1),
    ]
    assert [each["oldest_s"] >= 3600 for each in waiting] == [False, True, False]


def test_what_is_in_hand_is_told_with_its_worker_and_a_lease_that_ran_out_leads(
    operator, send, ledger
):
    held, lost = send(2)
    with ledger.system_session("w") as house:
        house.queue.claim("w", 2, LEASE, 5)
        house.serving.report("w", "d" * 64, "CPU, 2 threads", timedelta(minutes=1))
    with ledger.engine.begin() as line:
        line.execute(
            text("UPDATE jobs SET lease_until = now() - interval '5 s' WHERE id = :id"),
            {"id": lost},
        )
    told = operator.get("/v1/queue").json()
    assert (told["running"], told["expired"], told["waiting"]) == (2, 1, [])
    assert [
        (each["job_id"], each["worker"], each["left_s"] > 0) for each in told["in_hand"]
    ] == [
        (lost, "w", False),
        (held, "w", True),
    ]
    assert [
        (each["worker"], each["model"], each["device"]) for each in told["workers"]
    ] == [("w", "d" * 64, "CPU, 2 threads")]
    seen, claimed = (
        datetime.fromisoformat(told["workers"][0][name])
        for name in ("seen_at", "claimed_at")
    )
    assert timedelta(seconds=59) < seen - claimed < timedelta(seconds=61)


def test_dead_letters_are_counted_by_reason_and_those_of_one_are_queued_again_at_once(
    operator, send, fail, ledger
):
    send(4)
    lost = fail(3, "worker-lost")
    odd = fail(1, "internal")
    dead = operator.get("/v1/queue").json()["dead"]
    assert [(each["reason"], each["jobs"]) for each in dead] == [
        ("worker-lost", 3),
        ("internal", 1),
    ]
    listed = operator.get(
        "/v1/queue/dead-letters", params={"reason": "worker-lost"}
    ).json()
    assert {each["job_id"] for each in listed} == set(lost)
    answer = operator.post("/v1/queue/rerun", json={"reason": "worker-lost"})
    assert (answer.status_code, answer.json()) == (202, {"queued": 3, "left": 0})
    told = operator.get("/v1/queue").json()
    assert [(each["reason"], each["jobs"]) for each in told["dead"]] == [
        ("internal", 1)
    ]
    assert [each["jobs"] for each in told["waiting"]] == [3]
    assert operator.post("/v1/queue/rerun", json={"reason": "worker-lost"}).json() == {
        "queued": 0,
        "left": 0,
    }
    with ledger.system_session("test") as house:
        again = [
            str(each.job_id)
            for each in house.audit.page(limit=1000)
            if each.event == Event.JOB_RERUN
        ]
    assert sorted(again) == sorted(lost)
    assert odd[0] not in again


@pytest.mark.parametrize("role", [Role.HOSPITAL_ADMIN, Role.AUDITOR])
def test_the_queue_is_for_operators(as_role, role):
    assert as_role(role).get("/v1/queue").status_code == 403
