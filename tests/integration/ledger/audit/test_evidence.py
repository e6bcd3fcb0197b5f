"""A result and its case are written once, and the audit trail has their hash."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.output.audit_findings import verify_database
from shared.domain.audit.verification import Fault
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import JobState, Priority, Reason
from shared.ledger.audit.verification import AuditVerifier
from shared.ledger.cases.worklist import Order, WorklistFilter
from shared.security.audit_signing import is_signed
from shared.settings import Settings
from tests.support.builders import CASE, result
from tests.support.previous_release import PreviousRelease

DIGEST = "d" * 64
SERVICE_CHANGES = (
    "UPDATE results SET body = jsonb_set(body, '{risk}', '0.01')",
    "UPDATE results SET hospital_id = gen_random_uuid()",
    "DELETE FROM results",
    "UPDATE cases SET size_mm = 4",
    """UPDATE cases SET roi = '{"box": [1, 2, 3, 4]}'""",
    "UPDATE cases SET image_sha256 = repeat('b', 64)",
    "UPDATE cases SET hospital_id = gen_random_uuid()",
    "UPDATE cases SET external_id = 'case-2'",
    "UPDATE cases SET image_sha256 = 'b', erased_at = now(), erased_by = 'x', erased_for = 'x'",
    "UPDATE jobs SET case_id = gen_random_uuid()",
    "UPDATE jobs SET hospital_id = gen_random_uuid()",
    "UPDATE jobs SET state = 'queued'",
    "INSERT INTO results (id, job_id, hospital_id, model_digest, body) "
    "SELECT gen_random_uuid(), id, hospital_id, 'other', '{}' FROM jobs",
)
OWNER_CHANGES = {
    "UPDATE results SET body = jsonb_set(body, '{risk}', '0.01')": Fault.RESULT_CHANGED,
    "UPDATE results SET model_digest = 'other'": Fault.RESULT_CHANGED,
    "UPDATE cases SET size_mm = 4": Fault.RESULT_CHANGED,
    "UPDATE cases SET external_id = 'case-2'": Fault.RESULT_CHANGED,
    "UPDATE cases SET image_sha256 = 'b'": Fault.RESULT_CHANGED,
    "DELETE FROM results": Fault.RESULT_REMOVED,
    "DELETE FROM results; UPDATE cases SET size_mm = NULL, erased_at = now(), "
    "erased_by = 'x', erased_for = 'retention'": Fault.RESULT_REMOVED,
    "INSERT INTO results (id, job_id, hospital_id, model_digest, body) "
    "SELECT gen_random_uuid(), id, hospital_id, 'other', '{}' FROM jobs": (
        Fault.RESULT_ADDED
    ),
}


@pytest.fixture
def hospital(ledger):
    with ledger.system_session("test") as system:
        return system.hospitals.ensure("north")


@pytest.fixture
def case(ledger, hospital):
    """An answered case with the risk 0.12."""
    with ledger.hospital_session(hospital, "test") as session:
        case_id = session.cases.add(CASE)
        session.jobs.create(case_id, Priority.ROUTINE)
    with ledger.system_session("worker") as system:
        lease = system.queue.claim("w", 1, timedelta(minutes=1), 5)
        results = {lease.jobs[0].id: result(risk=0.12)}
        assert system.queue.finish(lease.token, DIGEST, results)
    return case_id


@pytest.fixture
def read(ledger, hospital, case):
    def job():
        with ledger.hospital_session(hospital, "test") as session:
            return session.jobs.find(session.cases.job_ids(case)[0])

    return job


def as_owner(ledger, statement):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("SET LOCAL session_replication_role = replica")
        owner.exec_driver_sql(statement)


def faults(database_url):
    return [
        finding.fault
        for finding in verify_database(database_url, [], Settings()).findings
    ]


def faults_in_stretches(ledger):
    verifier = AuditVerifier(ledger, "test", has_valid_signature=is_signed)
    return [
        finding.fault
        for stretch, _ in verifier.stretches()
        for finding in stretch.findings
    ]


@pytest.mark.parametrize("statement", SERVICE_CHANGES)
def test_no_service_changes_a_result_or_what_it_was_computed_from(
    ledger, case, statement
):
    with (
        pytest.raises(
            DBAPIError,
            match=r"permission denied|append-only|written once|keeps its|has a result",
        ),
        ledger.engine.begin() as connection,
    ):
        connection.exec_driver_sql(f"SET LOCAL ROLE sera_house; {statement}")


@pytest.mark.parametrize("statement", SERVICE_CHANGES)
def test_not_even_the_owner_does_so_while_the_triggers_are_on(ledger, case, statement):
    with pytest.raises(DBAPIError), ledger.engine.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize(("statement", "fault"), OWNER_CHANGES.items())
def test_what_the_owner_changes_behind_the_triggers_is_named_and_not_shown(
    ledger, database_url, case, read, statement, fault
):
    assert faults(database_url) == faults_in_stretches(ledger) == []
    assert read().result.risk == 0.12
    as_owner(ledger, statement)
    assert faults(database_url) == faults_in_stretches(ledger) == [fault]
    if "erased_at" not in statement:
        job = read()
        assert (job.state, job.reason, job.result) == (
            JobState.FAILED,
            Reason.RESULT_CHANGED,
            None,
        )


def test_the_worklist_shows_no_altered_risk_and_keeps_its_order(ledger, hospital, case):
    filters = WorklistFilter(order=Order.RISK)
    as_owner(ledger, "UPDATE results SET body = jsonb_set(body, '{risk}', '0.01')")
    with ledger.hospital_session(hospital, "test") as session:
        (entry,) = session.worklist.page(filters, None, 10)
        position = entry.position(Order.RISK)
        assert session.worklist.page(filters, position, 10) == []
    assert (entry.state, entry.reason) == (JobState.FAILED, Reason.RESULT_CHANGED)
    assert (entry.risk, entry.decision, entry.fna) == (None, None, None)


def test_a_result_that_no_event_vouches_for_is_named_and_not_shown(
    ledger, database_url, hospital
):
    with ledger.hospital_session(hospital, "test") as session:
        job_id = session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL ROLE sera_house")
        connection.exec_driver_sql(
            "INSERT INTO results (id, job_id, hospital_id, model_digest, body) "
            "SELECT gen_random_uuid(), id, hospital_id, 'm', '{}' FROM jobs"
        )
    assert faults(database_url) == faults_in_stretches(ledger) == [Fault.RESULT_ADDED]
    with ledger.hospital_session(hospital, "test") as session:
        assert session.jobs.find(job_id).reason == Reason.RESULT_CHANGED


def test_an_erased_result_is_no_fault(ledger, database_url, hospital, case):
    with ledger.hospital_session(hospital, "test") as session:
        session.erasures.erase(case, ErasureReason.PATIENT_REQUEST)
    with ledger.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM results")) == 0
    assert faults(database_url) == faults_in_stretches(ledger) == []


def test_results_of_the_release_before_are_evidence_too(ledger, database_url, hospital):
    previous = PreviousRelease(database_url, hospital)
    previous.submit()
    assert previous.work() == 1
    assert faults(database_url) == []
    as_owner(ledger, "UPDATE results SET body = jsonb_set(body, '{risk}', '0.01')")
    assert faults(database_url) == [Fault.RESULT_CHANGED]


def test_a_service_cannot_choose_the_hash_of_a_result(ledger, case):
    with closing(ledger.engine.connect()) as connection:
        connection.exec_driver_sql("SET LOCAL ROLE sera_house")
        connection.exec_driver_sql(
            "INSERT INTO audit_events (hospital_id, actor, event, case_id, job_id, details) "
            "SELECT hospital_id, 'x', 'job.done', case_id, id, '{\"evidence\": \"mine\"}' "
            "FROM jobs"
        )
        hashes = connection.scalars(
            text(
                "SELECT DISTINCT details->>'evidence' FROM audit_events "
                "WHERE event = 'job.done'"
            )
        ).all()
    assert len(hashes) == 1
    assert hashes != ["mine"]
