"""The page of a case, as the server renders it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.domain.results.findings import Finding
from shared.domain.roles import Role
from shared.ledger.jobs.lease import Failure
from tests.support.builders import form, result

RESULT = result()
SYNTHETIC = Finding("synthetic-model", "The model was trained on synthetic phantoms.")
LANGUAGES = ("en", "ko")


@pytest.fixture
def case(north) -> str:
    """The path of its page."""
    fields = form(external_id="P-17", roi='{"box": [20, 30, 60, 50]}')
    receipt = north.post("/v1/cases", **fields).json()
    return f"/cases/{receipt['case_id']}"


@pytest.fixture
def read_case(case, ledger) -> str:
    """The path of its page; the case has a result."""
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        synthetic = result(warnings=(*RESULT.warnings, SYNTHETIC))
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: synthetic})
    return case


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_waiting_case_shows_its_position_in_the_queue(case, as_person, language):
    page = as_person(Role.SUBMITTER).get(case, params={"lang": language})
    assert page.status_code == 200
    assert 'data-state="queued"' in page.text
    assert {"en": "number 1 in the queue", "ko": "1번째"}[language] in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_read_case_shows_everything_on_one_page(read_case, as_person, language):
    page = as_person(Role.SUBMITTER).get(read_case, params={"lang": language})
    for text in (
        "42 %",
        "14.5 mm",
        "TR5",
        "K-TIRADS 2021",
        "squeezenet",
        "44 %",
        "P-17",
        "9f2c" * 16,
        "<desc",
        "north",
    ):
        assert text in page.text
    assert page.text.count('class="note bad synthetic"') == 1
    assert 'class="line" x="20" y="30" width="60" height="50"' in page.text
    assert f"report.pdf?language={language}" in page.text
    assert len(page.content) < 200_000
    assert "style=" not in page.text


def test_a_reader_may_print_a_case_but_send_none(read_case, as_person):
    page = as_person(Role.READER).get(read_case).text
    assert 'id="pdf"' in page
    assert 'class="button" href="/"' not in page


def test_a_known_outcome_and_a_lack_of_similar_cases_are_shown(
    read_case, as_person, ledger, north
):
    north.post(
        f"/v1{read_case}/outcome", json={"malignant": True, "source": "histology"}
    )
    page = as_person(Role.READER).get(read_case).text
    assert "Malignant by histology" in page
    assert "stores nothing to compare cases by" in page or "known outcome yet" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_case_shows_the_reason_and_the_next_step(
    case, as_person, ledger, language
):
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.fail(lease.token, {lease.jobs[0].id: Failure("image-blank")})
    parameters = {"lang": language}
    submitter_page = as_person(Role.SUBMITTER).get(case, params=parameters).text
    reader_page = as_person(Role.READER).get(case, params=parameters).text
    assert {"en": "one even grey", "ko": "균일한 회색"}[language] in submitter_page
    assert 'id="rerun"' in submitter_page
    assert 'id="rerun"' not in reader_page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("object-missing", {"en": "cannot be found", "ko": "찾을 수 없습니다"}),
        ("object-corrupt", {"en": "is damaged", "ko": "손상되어"}),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_whose_stored_image_is_damaged_says_so_and_what_to_do(
    case, as_person, ledger, language, reason, words
):
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.fail(lease.token, {lease.jobs[0].id: Failure(reason)})
    page = as_person(Role.SUBMITTER).get(case, params={"lang": language}).text
    assert words[language] in page
    assert {"en": "Tell your administrator", "ko": "관리자에게 알리고"}[
        language
    ] in page


def test_an_erased_a_foreign_and_an_unknown_case_get_error_pages(case, as_person):
    admin = as_person(Role.HOSPITAL_ADMIN)
    assert as_person(Role.READER, hospital="south").get(case).status_code == 404
    assert as_person(Role.READER).get(f"/cases/{uuid4()}").status_code == 404
    assert as_person(Role.READER).get("/cases/nonsense").status_code == 422
    assert (
        admin.delete(f"/v1{case}", params={"ground": "sent-by-mistake"}).status_code
        == 200
    )
    page = as_person(Role.READER).get(case)
    assert page.status_code == 410
    assert "erased on" in page.text
