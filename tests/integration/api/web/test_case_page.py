"""The page of a case, as the server renders it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.domain.results.findings import Finding
from shared.domain.roles import Role
from shared.ledger.jobs.queue import Failure
from tests.support.builders import form, result

RESULT = result()
SYNTHETIC = Finding("synthetic-model", "The model was trained on synthetic phantoms.")
LANGUAGES = ("en", "ko")


@pytest.fixture
def case(north) -> str:
    """Its path as a page."""
    sent = north.post(
        "/v1/cases", **form(external_id="P-17", roi='{"box": [20, 30, 60, 50]}')
    ).json()
    return f"/cases/{sent['case_id']}"


@pytest.fixture
def read(case, ledger) -> str:
    with ledger.system_session("test") as house:
        lease = house.queue.claim("w", 1, timedelta(minutes=1), 5)
        synthetic = result(warnings=(*RESULT.warnings, SYNTHETIC))
        house.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: synthetic})
    return case


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_that_waits_says_where_in_the_queue_it_is(case, as_person, language):
    page = as_person(Role.SUBMITTER).get(case, params={"lang": language})
    assert page.status_code == 200
    assert 'data-state="queued"' in page.text
    assert {"en": "number 1 in the queue", "ko": "1번째"}[language] in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_read_case_tells_everything_on_one_page(read, as_person, language):
    page = as_person(Role.SUBMITTER).get(read, params={"lang": language})
    for found in (
        "42 %",
        "14.5 mm",
        "TR5",
        "K-TIRADS 2021",
        "squeezenet",
        "73 %",
        "P-17",
        "9f2c" * 16,
        "<desc",
        "north",
    ):
        assert found in page.text
    assert page.text.count('class="note bad synthetic"') == 1
    assert 'class="line" x="20" y="30" width="60" height="50"' in page.text
    assert f"report.pdf?language={language}" in page.text
    assert len(page.content) < 200_000
    assert "style=" not in page.text


def test_a_reader_may_look_and_is_offered_nothing_else(read, as_person):
    page = as_person(Role.READER).get(read).text
    assert 'id="pdf"' in page
    assert 'class="button" href="/"' not in page


def test_a_known_outcome_and_no_similar_case_are_said(read, as_person, ledger, north):
    north.post(f"/v1{read}/outcome", json={"malignant": True, "source": "histology"})
    page = as_person(Role.READER).get(read).text
    assert "Malignant by histology" in page
    assert "keeps nothing to compare cases by" in page or "known outcome yet" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_case_says_why_and_what_to_do(case, as_person, ledger, language):
    with ledger.system_session("test") as house:
        lease = house.queue.claim("w", 1, timedelta(minutes=1), 5)
        house.queue.fail(lease.token, {lease.jobs[0].id: Failure("image-blank")})
    submitter, reader = (
        as_person(role).get(case, params={"lang": language}).text
        for role in (Role.SUBMITTER, Role.READER)
    )
    assert {"en": "one even grey", "ko": "균일한 회색"}[language] in submitter
    assert 'id="rerun"' in submitter
    assert 'id="rerun"' not in reader


def test_an_erased_another_hospitals_and_an_unknown_case_are_pages_that_say_so(
    case, as_person
):
    admin = as_person(Role.HOSPITAL_ADMIN)
    assert as_person(Role.READER, hospital="south").get(case).status_code == 404
    assert as_person(Role.READER).get(f"/cases/{uuid4()}").status_code == 404
    assert as_person(Role.READER).get("/cases/nonsense").status_code == 422
    assert (
        admin.delete(f"/v1{case}", params={"ground": "sent-by-mistake"}).status_code
        == 200
    )
    gone = as_person(Role.READER).get(case)
    assert gone.status_code == 410
    assert "erased on" in gone.text
