from datetime import timedelta
from uuid import uuid4

import pytest

from shared.domain.roles import Role
from tests.support.builders import form, result


@pytest.fixture
def case(north) -> str:
    return north.post("/v1/cases", **form(external_id="P-17")).json()["links"]["case"]


@pytest.fixture
def done(case, ledger) -> str:
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: result()})
    return case


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_reader_may_print_a_finished_case(done, as_person, language):
    answer = as_person(Role.READER).get(
        f"{done}/report.pdf", params={"language": language, "zone": "Asia/Seoul"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "application/pdf",
    )
    assert answer.content.startswith(b"%PDF")
    assert b"/Subtype /Image" in answer.content
    assert "no-store" in answer.headers["cache-control"]


def test_a_case_with_a_missing_image_is_printed_without_it(done, north, settings):
    for stored in (settings.home / "objects").rglob("*"):
        if stored.is_file():
            stored.unlink()
    answer = north.get(f"{done}/report.pdf")
    assert answer.status_code == 200
    assert b"/Subtype /Image" not in answer.content


def test_each_printing_is_audited_without_content_of_the_case(done, north, as_role):
    for _ in range(2):
        assert north.get(f"{done}/report.pdf").status_code == 200
    trail = as_role(Role.AUDITOR).get("/v1/audit").json()
    events = [event for event in trail if event["event"] == "report.printed"]
    assert [event["case_id"] for event in events] == [done.rpartition("/")[2]] * 2
    assert all(event["details"] == {} for event in events)


def test_a_case_without_a_result_is_not_printed_and_its_state_is_named(case, north):
    answer = north.get(f"{case}/report.pdf")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-print")
    assert "queued" in answer.json()["detail"]


def test_another_hospital_an_unknown_case_and_an_unknown_language_get_no_report(
    done, north, as_role
):
    assert as_role(hospital="south").get(f"{done}/report.pdf").status_code == 404
    assert north.get(f"/v1/cases/{uuid4()}/report.pdf").status_code == 404
    assert north.get(f"{done}/report.pdf", params={"language": "xx"}).status_code == 422
