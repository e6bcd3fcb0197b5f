"""Erasure in the ledger: what goes, what stays, and who may."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.domain.audit.events import Event
from shared.domain.erasure import ErasureReason
from shared.domain.outcomes import OutcomeSource
from shared.ledger.cases.explanations import ExplanationMap
from shared.ledger.cases.outcomes import NewOutcome
from shared.ledger.cases.repository import CaseErased
from shared.ledger.jobs.dead_letters import NotADeadLetter
from shared.ledger.models.shadows import ShadowResult
from shared.ledger.tables import Table
from tests.integration.ledger.erasures.conftest import (
    DIGEST,
    HEAT,
    PNG,
    observation,
    result,
    waits_for_a_lock,
)
from tests.support.builders import CASE

TRACES = (
    "MRN-99417",
    "17.4321",
    "401, 402, 403",
    "Brand Scanner-5",
    "0.7177",
    "cytology",
    "key-of-99417",
    "a site",
)
SERVICE_ROLES = ("sera_house", "sera_hospital")


def run_as(ledger, role, hospital, statement):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            f"SET LOCAL ROLE {role}; SET LOCAL sera.hospital = '{hospital}'"
        )
        connection.exec_driver_sql(statement)


def rows(ledger):
    """Every row of every table, as text, by table."""
    with ledger.engine.connect() as connection:
        names = [table.name for table in Table.metadata.sorted_tables]
        return {
            name: [
                str(row)
                for row in connection.execute(text(f"SELECT t::text FROM {name} t"))
            ]
            for name in names
        }


def traces(ledger, traces_found=TRACES):
    return {
        (name, trace)
        for name, found in rows(ledger).items()
        for row in found
        for trace in traces_found
        if trace in row
    }


def test_nothing_of_an_erased_case_is_left_in_any_table(
    ledger, hospital, create_case, finish, erase
):
    accepted = create_case(key="key-of-99417")
    finish()
    outcome = NewOutcome(True, OutcomeSource.CYTOLOGY, patient="P-1", consent=True)
    with ledger.system_session("test") as system:
        system.models.store(
            digest=DIGEST,
            name="light",
            recipe="light",
            run_id=None,
            synthetic=False,
            metrics={},
        )
        shadow = system.shadows.start(DIGEST, "test")
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE shadows SET started_at = started_at - interval '1 hour'"
        )
        owner.exec_driver_sql("""UPDATE jobs SET facts = '{"site": "a site"}'""")
    with ledger.system_session("shadow") as system:
        live_results = system.shadows.claim(
            replace(shadow, started_at=shadow.started_at - timedelta(hours=1)), 5
        )
        assert (
            system.shadows.record(
                shadow,
                [
                    (live_result, ShadowResult(0.7177, 0.7177, "benign"))
                    for live_result in live_results
                ],
            )
            == 1
        )
    with ledger.hospital_session(hospital, "test") as session:
        session.outcomes.record(accepted.case_id, outcome)
        session.explanations.request(accepted.case_id)
    with ledger.system_session("worker") as system:
        system.explanation_queue.finish(
            system.explanation_queue.claim_next(),
            PNG,
            None,
            [ExplanationMap(HEAT, {"kind": "occlusion"})],
        )
    assert {trace for _, trace in traces(ledger)} == set(TRACES)

    erase(accepted.case_id)

    assert traces(ledger) == set()
    left = rows(ledger)
    for name in (
        "results",
        "observations",
        "outcomes",
        "explanations",
        "explanation_maps",
        "shadow_results",
    ):
        assert left[name] == [], name
    with ledger.system_session("test") as system:
        assert sorted(system.orphaned_objects.waiting(10)) == sorted(
            [CASE.image_sha256, PNG, HEAT]
        )


def test_who_asks_for_an_erased_case_is_told_when_and_why(
    ledger, hospital, create_case, finish, erase
):
    accepted = create_case(key="k")
    finish()
    erase(accepted.case_id)
    request = (
        lambda session: session.cases.find(accepted.case_id),
        lambda session: session.jobs.find(accepted.job_id),
        lambda session: session.jobs.cancel(accepted.job_id),
        lambda session: session.outcomes.record(
            accepted.case_id, NewOutcome(True, OutcomeSource.CYTOLOGY)
        ),
        lambda session: session.receipts.find("k", "f" * 64),
        lambda session: session.receipts.find("k", "another body"),
        lambda session: session.receipts.reserve("k", "f" * 64),
    )
    for ask in request:
        outcome = pytest.raises(
            CaseErased, match=r"erased on \d{4}-\d\d-\d\d \(patient-request\)"
        )
        with outcome, ledger.hospital_session(hospital, "test") as session:
            ask(session)
    with ledger.hospital_session(hospital, "test") as session:
        assert session.jobs.page(None, None, 10) == []
        assert session.receipts.find("another key", "f" * 64) is None


def test_erased_twice_the_first_word_stands(create_case, erase):
    case_id = create_case().case_id
    first = erase(case_id)
    repeated = erase(case_id, ErasureReason.SENT_BY_MISTAKE)
    assert (repeated.erased_at, repeated.reason) == (
        first.erased_at,
        ErasureReason.PATIENT_REQUEST,
    )


def test_another_hospital_erases_nothing(ledger, hospital, create_case, erase):
    case_id = create_case().case_id
    with ledger.system_session("test") as system:
        south = system.hospitals.ensure("south")
    assert erase(case_id, owner=south) is None
    assert erase(uuid4()) is None
    with ledger.hospital_session(hospital, "test") as session:
        assert session.cases.find(case_id).external_id == "MRN-99417"


def test_the_trail_says_who_when_and_on_what_ground(
    ledger, hospital, create_case, erase
):
    accepted = create_case()
    erase(accepted.case_id)
    with ledger.hospital_session(hospital, "test") as session:
        outcome = [
            (event.event, event.actor, event.case_id, event.details)
            for event in session.audit.page()[-2:]
        ]
    image = {"ground": "patient-request", "image": CASE.image_sha256}
    assert outcome == [
        (Event.JOB_CANCELLED, "key:abc", accepted.case_id, {"why": "case-erased"}),
        (Event.CASE_ERASED, "key:abc", accepted.case_id, image),
    ]


def test_a_worker_that_comes_late_writes_nothing(ledger, create_case, erase):
    accepted = create_case()
    with ledger.system_session("worker") as system:
        lease = system.queue.claim("w", 1, timedelta(minutes=1), 5)
    erase(accepted.case_id)
    with ledger.system_session("worker") as system:
        assert (
            system.queue.finish(lease.token, DIGEST, {accepted.job_id: result()})
            == set()
        )
        system.queue.fail(lease.token, {})
        assert system.queue.reclaim(5) == 0
    left = rows(ledger)
    assert (left["results"], len(left["jobs"])) == ([], 1)
    assert "cancelled" in left["jobs"][0]


def test_a_result_that_is_being_written_at_this_moment_is_waited_for_and_erased_too(
    ledger, create_case, erase
):
    accepted = create_case()
    with ThreadPoolExecutor(1) as pool:
        with ledger.system_session("worker") as system:
            lease = system.queue.claim("w", 1, timedelta(minutes=1), 5)
            system.audit.write()
        with ledger.system_session("worker") as system:
            assert system.queue.finish(
                lease.token, DIGEST, {accepted.job_id: result()}
            ) == {accepted.job_id}
            system.observations.record([observation(lease.jobs[0])])
            erasing = pool.submit(erase, accepted.case_id)
            assert waits_for_a_lock(ledger)
        assert erasing.result().reason is ErasureReason.PATIENT_REQUEST
    assert traces(ledger) == set()


def test_a_dead_letter_of_an_erased_case_cannot_be_run_again(
    ledger, create_case, erase
):
    accepted = create_case()
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE jobs SET state = 'failed', reason = 'worker-lost'"
        )
    erase(accepted.case_id)
    with pytest.raises(NotADeadLetter), ledger.system_session("test") as system:
        system.dead_letters.rerun(accepted.job_id)
    with ledger.system_session("test") as system:
        assert system.queue.progress().dead_letters == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {table}",
        "UPDATE cases SET erased_at = NULL WHERE erased_at IS NOT NULL",
        "UPDATE cases SET external_id = 'other' WHERE erased_at IS NOT NULL",
    ],
)
@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_no_service_deletes_rows_of_a_case_or_writes_on_a_tombstone(
    ledger, hospital, create_case, erase, role, statement
):
    erase(create_case().case_id)
    create_case()
    tables = (
        "cases",
        "jobs",
        "results",
        "explanations",
        "explanation_maps",
        "observations",
        "shadow_results",
        "outcomes",
    )
    for table in (*tables, "outcomes") if "{table}" in statement else tables[:1]:
        with pytest.raises(DBAPIError, match=r"permission denied|stays as it is"):
            run_as(ledger, role, hospital, statement.format(table=table))


def test_a_hospital_marks_a_case_and_writes_nothing_else_of_it(
    ledger, hospital, create_case
):
    create_case()
    with pytest.raises(DBAPIError, match="permission denied"):
        run_as(ledger, "sera_hospital", hospital, "UPDATE cases SET size_mm = 1")


def test_not_even_the_owner_deletes_an_outcome_of_a_case_that_is_kept(
    ledger, hospital, create_case
):
    with ledger.hospital_session(hospital, "test") as session:
        session.outcomes.record(
            create_case().case_id, NewOutcome(True, OutcomeSource.CYTOLOGY)
        )
    for statement in (
        "DELETE FROM outcomes",
        "UPDATE outcomes SET malignant = false",
        "TRUNCATE outcomes",
    ):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            ledger.engine.begin() as owner,
        ):
            owner.exec_driver_sql(statement)
