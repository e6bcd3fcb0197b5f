"""The console's queue and audit trail, as the server renders them, and its entry for each role."""

from datetime import timedelta

import pytest

from shared.domain.audit.events import Event
from shared.domain.jobs import Priority
from shared.domain.roles import Role
from shared.ledger.jobs.lease import Failure
from tests.support.builders import CASE

LANGUAGES = ("en", "ko")


@pytest.fixture
def north_id(ledger):
    with ledger.system_session("test") as session:
        return session.hospitals.ensure("north")


@pytest.fixture
def dead_letter(ledger, north_id):
    """The job of a case that failed with its worker."""
    with ledger.hospital_session(north_id, "test") as session:
        job = session.jobs.create(session.cases.add(CASE), Priority.URGENT)
    with ledger.system_session("test") as session:
        lease = session.queue.claim("worker-1", 1, timedelta(minutes=1), 5)
        session.queue.fail(lease.token, {job: Failure("worker-lost")})
    return job


@pytest.mark.parametrize(
    ("role", "first_section"),
    [
        (Role.OPERATOR, "/console/hospitals"),
        (Role.HOSPITAL_ADMIN, "/console/hospital"),
        (Role.AUDITOR, "/console/monitoring"),
    ],
)
def test_the_console_redirects_to_the_first_section_of_a_role(
    as_person, role, first_section
):
    answer = as_person(role).get("/console", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, first_section)


@pytest.mark.parametrize("path", ["/console", "/console/queue", "/console/audit"])
def test_a_reader_is_refused_in_the_console(as_person, path):
    page = as_person(Role.READER).get(path)
    assert page.status_code == 403
    assert 'href="/console"' not in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_dead_letters_are_listed_by_reason_and_one_by_one(
    as_person, dead_letter, language
):
    operator = as_person(Role.OPERATOR)
    page = operator.get(
        "/console/queue", params={"reason": "worker-lost", "lang": language}
    ).text
    assert f"POST /v1/jobs/{dead_letter}/rerun" in page
    assert 'href="?reason=worker-lost"' in page
    assert 'aria-current="page"' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_events_are_filtered_by_kind_case_and_day(
    as_person, ledger, north_id, language
):
    with ledger.hospital_session(north_id, "key:abc") as session:
        case = session.cases.add(CASE)
        session.audit.record_reads(Event.CASE_READ, [(case, None)])
    auditor = as_person(Role.AUDITOR)
    filters = {
        "lang": language,
        "hospital": "north",
        "event": "case.read",
        "actor": "",
        "case": str(case),
    }
    assert (
        str(case)
        in auditor.get(
            "/console/audit", params=filters | {"since": "", "until": ""}
        ).text
    )
    assert (
        f"?case={case}"
        in auditor.get("/console/audit", params=filters | {"since": "2026-01-01"}).text
    )
    assert (
        f"?case={case}"
        not in auditor.get(
            "/console/audit", params=filters | {"until": "2020-01-01"}
        ).text
    )


def test_an_invalid_day_gets_an_error_page(as_person):
    page = as_person(Role.AUDITOR).get("/console/audit", params={"since": "soon"})
    assert page.status_code == 422
    assert "<h1" in page.text


def test_a_link_leads_to_older_events(as_person, ledger, north_id):
    with ledger.hospital_session(north_id, "key:abc") as session:
        session.audit.record_reads(
            Event.CASE_READ, [(session.cases.add(CASE), None) for _ in range(101)]
        )
    auditor = as_person(Role.AUDITOR)
    assert (
        "before=" in auditor.get("/console/audit", params={"event": "case.read"}).text
    )


def test_an_administrator_finds_the_people_of_its_own_hospital_by_name(
    as_person, make_person
):
    make_person(Role.READER, "north", "nora.north")
    make_person(Role.READER, "south", "saul.south")
    page = as_person(Role.HOSPITAL_ADMIN, "north").get("/console/audit").text
    assert "nora.north" in page
    assert "saul.south" not in page
