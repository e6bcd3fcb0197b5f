from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.domain.jobs import JobState, Priority
from shared.domain.roles import Role
from shared.errors import Unavailable
from shared.ledger import HospitalSession, Ledger
from shared.ledger.hospitals.api_keys import KeyNeedsHospital
from shared.ledger.hospitals.authentication import authenticate_key
from shared.ledger.idempotency.receipts import KeyReused, StoredResponse
from shared.ledger.jobs.repository import NotCancellable


def hospital(ledger, name):
    with ledger.system_session("test") as system:
        return system.hospitals.ensure(name)


def authenticated(ledger, key):
    transaction = ledger.transaction()
    caller = authenticate_key(transaction, key)
    transaction.commit()
    return caller


def test_a_hospital_sees_neither_jobs_nor_cases_of_another(ledger, submit):
    job = submit("north")
    with ledger.hospital_session(hospital(ledger, "north"), "test") as session:
        case = session.jobs.find(job).case_id
    with ledger.hospital_session(hospital(ledger, "south"), "test") as session:
        assert session.jobs.find(job) is None
        assert session.cases.find(case) is None
        assert session.cases.job_ids(case) == []
        assert session.jobs.page(None, None, 10) == []
        assert not session.jobs.cancel(job)
        assert session.explanations.request(case) is None


def test_pages_of_jobs_go_through_all_of_them_newest_first(ledger, submit):
    jobs = [submit() for _ in range(5)]
    found = []
    position = None
    with ledger.hospital_session(hospital(ledger, "north"), "test") as session:
        while page := session.jobs.page(None, position, 2):
            found += [job.id for job in page]
            position = (page[-1].created_at, page[-1].id)
    assert found == jobs[::-1]


def test_the_place_in_the_queue_counts_urgent_cases_first(ledger, submit):
    first = submit()
    second = submit()
    urgent = submit(priority=Priority.URGENT)
    with ledger.hospital_session(hospital(ledger, "north"), "test") as session:
        assert [session.jobs.find(job).position for job in (urgent, first, second)] == [
            1,
            2,
            3,
        ]


def test_a_queued_job_can_be_cancelled_and_a_cancelled_one_not_again(
    ledger, submit, state_of
):
    job = submit()
    with ledger.hospital_session(hospital(ledger, "north"), "test") as session:
        assert session.jobs.cancel(job)
    assert state_of(job) is JobState.CANCELLED
    with (
        pytest.raises(NotCancellable),
        ledger.hospital_session(hospital(ledger, "north"), "test") as session,
    ):
        session.jobs.cancel(job)


def test_a_receipt_answers_the_same_request_and_refuses_another(ledger):
    answer = StoredResponse(202, {"location": "/v1/jobs/1"}, b"{}", uuid4())
    with ledger.hospital_session(hospital(ledger, "north"), "test") as session:
        assert session.receipts.reserve("k", "body")
        session.receipts.store("k", answer)
        assert not session.receipts.reserve("k", "body")
        assert session.receipts.find("k", "body") == answer
        with pytest.raises(KeyReused):
            session.receipts.find("k", "other body")
    with ledger.hospital_session(hospital(ledger, "south"), "test") as session:
        assert session.receipts.find("k", "other body") is None
    with ledger.system_session("test") as system:
        assert system.receipts.find("k", "other body") is None


def test_a_receipt_is_swept_in_time(ledger):
    north = hospital(ledger, "north")
    with ledger.hospital_session(north, "test") as session:
        for key in ("l", "m"):
            assert session.receipts.reserve(key, "body")
            session.receipts.store(key, StoredResponse(200, {}, b""))
    with ledger.engine.begin() as line:
        line.execute(
            text(
                "UPDATE receipts SET created_at = created_at - interval '8 days' WHERE key = 'l'"
            )
        )
    with ledger.hospital_session(north, "test") as session:
        assert session.receipts.find("l", "other body") is None
        assert not session.receipts.reserve("m", "body")
    with ledger.system_session("test") as system:
        assert [system.receipts.sweep(timedelta(days=days)) for days in (9, 7, 7)] == [
            0,
            1,
            0,
        ]


def test_a_key_speaks_for_its_hospital_until_the_secret_differs(ledger):
    north = hospital(ledger, "north")
    with ledger.system_session("test") as system:
        key = system.api_keys.create_text(Role.SUBMITTER, north, "test")
    caller = authenticated(ledger, key)
    assert (caller.role, caller.hospital_id) == (Role.SUBMITTER, north)
    for wrong in (key[:-1], key + "x", "sera_x_y", "", "\0"):
        assert authenticated(ledger, wrong) is None


def test_a_verified_key_leaves_its_transaction_within_its_hospital(ledger):
    north = hospital(ledger, "north")
    south = hospital(ledger, "south")
    with ledger.system_session("test") as session:
        key = session.api_keys.create_text(Role.READER, north, "test")
        session.api_keys.create_text(Role.READER, south, "test")
    authenticated(ledger, key)  # notes the use of the key
    transaction = ledger.transaction()
    authenticate_key(transaction, key, noted_every=timedelta(days=1))
    role = transaction.session.execute(
        text("SELECT current_user, current_setting('sera.hospital')")
    ).one()
    assert role == ("sera_hospital", str(north))
    found = HospitalSession(transaction, north, "test").api_keys.all()
    assert {key_.hospital_id for key_ in found} == {north}
    transaction.rollback()


def test_an_operators_key_belongs_to_no_hospital_and_a_submitters_must(ledger):
    with ledger.system_session("test") as system:
        operator = system.api_keys.create_text(
            Role.OPERATOR, hospital(ledger, "north"), "test"
        )
    assert authenticated(ledger, operator).hospital_id is None
    with ledger.system_session("test") as system, pytest.raises(KeyNeedsHospital):
        system.api_keys.create_text(Role.SUBMITTER, None, "test")


def test_an_unreachable_database_is_said_to_be_so():
    with pytest.raises(Unavailable, match="database"):
        Ledger("postgresql+psycopg2://nobody@127.0.0.1:1/none").ping()
