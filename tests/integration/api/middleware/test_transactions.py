"""What becomes of a request whose commit fails, and of the slots of those that are refused."""

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

LOST_AT_COMMIT = """
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
        connection.execute(text(LOST_AT_COMMIT))
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


def test_a_rollback_on_a_lost_connection_is_none_the_worse(ledger):
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


def test_a_callback_that_fails_undoes_nothing_and_keeps_no_other_from_being_called(
    ledger,
):
    rows = []
    transaction = ledger.transaction()
    transaction.on_commit(lambda: 1 / 0)
    transaction.on_commit(lambda: rows.append("second"))
    transaction.commit()
    assert rows == ["second"]


@pytest.mark.parametrize(
    "key", ["", "Authorization: Bearer sera_x_y\r\n"], ids=["none", "wrong"]
)
def test_strangers_who_send_no_body_keep_nobody_from_being_answered(
    settings, as_role, key
):
    known = as_role()
    with at_an_address(create_app(settings)) as url, ExitStack() as lines:
        place = urlsplit(url)
        head = (
            f"POST /v1/keys HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 100000\r\n\r\n"
        )
        for _ in range(MAX_CONCURRENT_REQUESTS + 1):
            line = lines.enter_context(
                socket.create_connection((place.hostname, place.port))
            )
            line.sendall(head.encode())
            assert b" 401 " in line.recv(1000)
        answer = httpx2.get(f"{url}/v1/jobs", headers=dict(known.headers), timeout=5)
    assert answer.status_code == 200
