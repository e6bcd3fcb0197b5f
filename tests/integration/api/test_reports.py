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
def test_a_done_case_is_printed_by_whoever_may_read_it(done, as_person, language):
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


def test_a_case_whose_image_is_lost_is_printed_without_it(done, north, settings):
    for stored in (settings.home / "objects").rglob("*"):
        if stored.is_file():
            stored.unlink()
    answer = north.get(f"{done}/report.pdf")
    assert answer.status_code == 200
    assert b"/Subtype /Image" not in answer.content


def test_each_printing_is_on_record_without_a_word_of_the_case(done, north, as_role):
    for _ in range(2):
        assert north.get(f"{done}/report.pdf").status_code == 200
    trail = as_role(Role.AUDITOR).get("/v1/audit").json()
    printed = [item for item in trail if item["event"] == "report.printed"]
    assert [row["case_id"] for row in printed] == [done.rpartition("/")[2]] * 2
    assert all(entry["details"] == {} for entry in printed)


def test_a_case_without_a_result_says_what_to_wait_for(case, north):
    answer = north.get(f"{case}/report.pdf")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-print")
    assert "queued" in answer.json()["detail"]


def test_another_hospital_an_unknown_case_and_an_unknown_language_get_none(
    done, north, as_role
):
    assert as_role(hospital="south").get(f"{done}/report.pdf").status_code == 404
    assert north.get(f"/v1/cases/{uuid4()}/report.pdf").status_code == 404
    assert north.get(f"{done}/report.pdf", params={"language": "xx"}).status_code == 422
