"""The numbers of SQL statements and transactions of requests to the gateway."""

from datetime import timedelta

import pytest

from shared.domain.roles import Role
from tests.support.builders import form
from tests.support.statement_counter import count_statements

KEY = {"Idempotency-Key": "once"}


@pytest.fixture
def engine(gateway):
    return gateway.app.state.dependencies.ledger.engine


def test_a_submission_costs_12_statements_in_2_transactions(gateway, north, engine):
    north.post(
        "/v1/cases", **form()
    )  # creates the de-identification key, stores the use of the API key
    counters = gateway.app.state.dependencies.counter_ledger.engine
    with count_statements(engine) as count, count_statements(counters) as counter_count:
        answer = north.post("/v1/cases", headers=KEY, **form(size_mm=20))
    assert answer.status_code == 202
    assert len(count.statements) <= 12, count
    assert count.transactions <= 2, count
    waiting_jobs = "count(*) AS count_1 \nFROM jobs"
    assert all(
        "ROLE" in statement or waiting_jobs in statement
        for statement in counter_count.statements
    ), counter_count


def test_a_poll_of_a_running_job_costs_2_statements_in_1_transaction(
    north, engine, ledger
):
    link = north.post("/v1/cases", **form()).json()["links"]["job"]
    with ledger.system_session("test") as session:
        assert session.queue.claim("worker", 1, timedelta(minutes=1), 5).jobs
    with count_statements(engine) as count:
        answer = north.get(link)
    assert answer.json()["state"] == "running"
    assert len(count.statements) <= 2, count
    assert count.transactions == 1, count


def test_a_revoked_key_is_refused_at_the_next_poll(north, engine, ledger):
    link = north.post("/v1/cases", **form()).json()["links"]["job"]
    assert north.get(link).status_code == 200
    with ledger.system_session("test") as session:
        for key in session.api_keys.all():
            session.api_keys.revoke(key.id)
    assert north.get(link).status_code == 401


def test_a_case_page_is_one_transaction(as_person, engine):
    reader = as_person(Role.SUBMITTER)
    case_id = reader.post("/v1/cases", **form()).json()["case_id"]
    with count_statements(engine) as count:
        page = reader.get(f"/cases/{case_id}")
    assert page.status_code == 200
    assert count.transactions == 1, count
