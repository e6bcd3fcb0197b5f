"""Requests whose commit fails, commit callbacks, and the slots of refused requests."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import text

from services.api.middleware.transactions import MAX_CONCURRENT_REQUESTS
from shared.ledger import SystemSession
from tests.support.app import create_app
from tests.support.builders import form
from tests.support.http_server import at_an_address

COMMIT_FAILURE = """
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION lose();
"""


@pytest.mark.parametrize(
    "headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with a key"]
)
def test_a_commit_that_fails_is_answered_503_and_leaves_nothing(north, ledger, headers):
    north.post("/v1/cases", **form())
    with ledger.engine.begin() as connection:
        connection.execute(text(COMMIT_FAILURE))
    answer = north.post("/v1/cases", headers=headers, **form(size_mm=20))
    with ledger.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER lose ON audit_events"))
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (
        503,
        "unavailable",
        True,
    )
    assert len(north.get("/v1/jobs").json()["jobs"]) == 1
    assert (
        north.post("/v1/cases", headers=headers, **form(size_mm=20)).status_code == 202
    )


def test_a_transaction_can_be_used_again_after_a_rollback_on_a_lost_connection(ledger):
    transaction = ledger.transaction()
    session = SystemSession(transaction, "test")
    session.hospitals.ensure("north")
    pid = transaction.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with ledger.engine.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}
        )
    transaction.rollback()
    assert session.hospitals.all() == []
    transaction.rollback()


def test_a_failing_commit_callback_does_not_stop_the_next_one(
    ledger,
):
    calls = []
    transaction = ledger.transaction()
    transaction.on_commit(lambda: 1 / 0)
    transaction.on_commit(lambda: calls.append("second"))
    transaction.commit()
    assert calls == ["second"]


@pytest.mark.parametrize(
    "key", ["", "Authorization: Bearer sera_x_y\r\n"], ids=["none", "wrong"]
)
def test_unauthenticated_requests_without_a_body_occupy_no_slot(settings, as_role, key):
    authenticated = as_role()
    with at_an_address(create_app(settings)) as url, ExitStack() as connections:
        url_parts = urlsplit(url)
        head = (
            f"POST /v1/keys HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 100000\r\n\r\n"
        )
        for _ in range(MAX_CONCURRENT_REQUESTS + 1):
            connection = connections.enter_context(
                socket.create_connection((url_parts.hostname, url_parts.port))
            )
            connection.sendall(head.encode())
            assert b" 401 " in connection.recv(1000)
        answer = httpx2.get(
            f"{url}/v1/jobs", headers=dict(authenticated.headers), timeout=5
        )
    assert answer.status_code == 200
