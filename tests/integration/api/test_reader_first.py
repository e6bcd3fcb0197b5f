"""Reader-first: a person's own suspicion level is stored before they can fetch SERA's answer."""

import csv
import json
from datetime import timedelta
from io import StringIO

import pytest

from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from tests.support.builders import form, png, result
from tests.support.observations import Observing

RISK = 0.123456
FIGURES = ("0.123456", "12.3", "12 %", "squeezenet", "roi-absent")
ANSWER = (*FIGURES, "TR5", "TR4", "malignant", "not-due", "undecided")
"""Parts of the answer, of which none may be in anything that is sent before the own level is."""


def make_answered(north, ledger, number: int = 1) -> dict[str, str]:
    receipt = north.post("/v1/cases", **form(png(number))).json()
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        answer = result(risk=RISK)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: answer})
    return receipt


@pytest.fixture
def admin(as_person):
    return as_person(Role.HOSPITAL_ADMIN)


@pytest.fixture
def mode_on(admin):
    answer = admin.patch("/v1/hospital", json={"reader_first": "on"})
    assert answer.json()["in_use"]["reader_first"] == "on"


@pytest.fixture
def case(north, ledger) -> dict[str, str]:
    """A case with a result that no person has seen."""
    return make_answered(north, ledger)


@pytest.fixture
def reader(as_person):
    return as_person(Role.READER)


def paths(case: dict[str, str]) -> list[str]:
    """Everything from which a person might fetch the answer to a case."""
    case_path = f"/v1/cases/{case['case_id']}"
    job_path = f"/v1/jobs/{case['job_id']}"
    return [
        case_path,
        job_path,
        f"{job_path}?wait=1",
        f"{job_path}/events",
        "/v1/jobs",
        "/v1/jobs?state=done",
        "/v1/cases",
        "/v1/cases.csv",
        f"{case_path}/report.pdf",
        f"{case_path}/similar",
        f"{case_path}/explanation",
        f"{case_path}/explanation.png",
        f"{case_path}/explanation/heat.png",
        f"/cases/{case['case_id']}",
        "/worklist",
        "/worklist/rows",
    ]


def enter(client, case: dict[str, str], **body):
    path = f"/v1/cases/{case['case_id']}/reader-level"
    return client.post(path, json=body or {"level": "TR3"})


@pytest.mark.usefixtures("mode_on")
@pytest.mark.parametrize("role", [Role.READER, Role.SUBMITTER, Role.HOSPITAL_ADMIN])
def test_before_the_own_level_no_route_and_no_page_sends_a_person_the_answer(
    case, as_person, role
):
    person = as_person(role)
    for path in paths(case):
        answer = person.get(path)
        assert answer.status_code in (200, 403), path
        if answer.status_code == 403:
            assert answer.json()["code"] == "own-level-first"
            continue
        has_words = path.startswith(("/cases", "/worklist")) or path.endswith(".csv")
        hidden = FIGURES if has_words else ANSWER
        assert [part for part in hidden if part in answer.text] == [], path
    cancelled = person.post(f"/v1/jobs/{case['job_id']}/cancel")
    assert "0.123456" not in cancelled.text


@pytest.mark.usefixtures("mode_on")
def test_pages_and_rows_say_that_the_own_level_comes_first(case, reader):
    page_path = f"/cases/{case['case_id']}"
    assert "data-withheld" in reader.get(page_path).text
    for language, text in (
        ("en", "Your own level first"),
        ("ko", "본인의 의심 단계를 먼저"),
    ):
        page = reader.get(page_path, params={"lang": language}).text
        assert text in page
        assert 'id="pdf"' not in page
        assert page.count("<option") > 5
    rows = reader.get("/worklist/rows", params={"lang": "en"}).text
    assert "Your own level first" in rows
    (row,) = reader.get("/v1/cases").json()["cases"]
    assert (row["state"], row["withheld"], row["statement"]) == ("done", True, None)
    job = reader.get(f"/v1/jobs/{case['job_id']}").json()
    assert (job["state"], job["withheld"], job["result"]) == ("done", True, None)


@pytest.mark.usefixtures("mode_on")
@pytest.mark.parametrize(
    "query", ["decision=malignant", "decision=benign", "fna=true", "order=risk"]
)
def test_a_withheld_answer_cannot_be_guessed_by_filters(case, reader, north, query):
    assert reader.get(f"/v1/cases?{query}").json()["total"] == 0
    table = reader.get(f"/v1/cases.csv?{query}").text
    assert case["case_id"] not in table
    assert enter(reader, case).status_code == 201
    by_key = north.get(f"/v1/cases?{query}").json()
    assert reader.get(f"/v1/cases?{query}").json()["total"] == by_key["total"]


@pytest.mark.usefixtures("mode_on")
def test_after_the_own_level_the_answer_is_shown_beside_it_everywhere(
    case, as_person, make_person, signed_in
):
    person = make_person(Role.READER, name="dr.han")
    reader = signed_in(person)
    stored = enter(reader, case, level="TR3")
    assert stored.status_code == 201
    view = stored.json()
    assert (view["person_id"], view["level"]) == (str(person.id), "TR3")
    assert view["guideline"] == "ACR-2017"
    job = reader.get(f"/v1/jobs/{case['job_id']}").json()
    assert (job["withheld"], job["result"]["risk"]) == (False, RISK)
    assert reader.get(f"/v1/cases/{case['case_id']}").json()["reader_levels"] == [view]
    page = reader.get(f"/cases/{case['case_id']}", params={"lang": "en"}).text
    assert "data-withheld" not in page
    assert "12 %" in page
    assert "TR3" in page.partition('id="levels"')[2].partition("</section>")[0]
    (line,) = csv.DictReader(StringIO(reader.get("/v1/cases.csv").text))
    assert (line["reader_level"], line["reader_level_by"]) == ("TR3", "dr.han")
    assert line["reader_level_at"].startswith(view["at"][:19])
    assert (line["withheld"], line["risk"]) == ("false", "0.123456")
    pdf = reader.get(f"/v1/cases/{case['case_id']}/report.pdf")
    assert pdf.status_code == 200
    other = as_person(Role.READER)
    assert other.get(f"/v1/jobs/{case['job_id']}").json()["withheld"]
    assert "dr.han" not in other.get(f"/v1/cases/{case['case_id']}").text
    assert "dr.han" not in other.get("/v1/cases.csv").text


@pytest.mark.usefixtures("mode_on")
def test_a_level_is_stored_once_and_audited_without_the_level(case, admin):
    path = f"/v1/cases/{case['case_id']}/reader-level"
    request = {"json": {"level": "TR4"}, "headers": {"Idempotency-Key": "once"}}
    first = admin.post(path, **request)
    assert (first.status_code, first.json()["level"]) == (201, "TR4")
    assert admin.post(path, **request).text == first.text
    again = enter(admin, case, level="TR5")
    assert (again.status_code, again.json()["code"]) == (409, "own-level-stored")
    levels = admin.get(f"/v1/cases/{case['case_id']}").json()["reader_levels"]
    assert [level["level"] for level in levels] == ["TR4"]
    events = [
        event
        for event in admin.get("/v1/audit?limit=1000").json()
        if event["event"] in ("case.read-first", "result.read", "hospital.changed")
    ]
    assert [event["event"] for event in events] == [
        "hospital.changed",
        "case.read-first",
    ]
    assert events[0]["details"]["after"] == {"reader_first": "on"}
    assert "TR4" not in json.dumps(events[1])


@pytest.mark.usefixtures("mode_on")
def test_a_description_gives_the_level_of_the_hospitals_guideline(
    case, admin, reader, as_person
):
    stored = enter(reader, case, descriptors=dict(DESCRIPTORS_EXAMPLE)).json()
    assert (stored["guideline"], stored["level"]) == ("ACR-2017", "TR5")
    assert stored["descriptors"]["margin"] == "smooth"
    admin.patch("/v1/hospital", json={"fna_rule": "risk-band/K-TIRADS-2021/1"})
    other = as_person(Role.READER)
    refused = enter(other, case, level="TR5")
    assert (refused.status_code, refused.json()["code"]) == (
        422,
        "reader-level-unknown",
    )
    assert "K-TIRADS 5" in refused.text
    assert enter(other, case, level="K-TIRADS 5").status_code == 201


@pytest.mark.usefixtures("mode_on")
@pytest.mark.parametrize(
    "body",
    [
        {"level": None},
        {"level": "TR3", "descriptors": dict(DESCRIPTORS_EXAMPLE)},
        {"descriptors": {"composition": "solid"}},
        {"level": ""},
    ],
)
def test_a_body_without_exactly_one_complete_level_is_refused(case, reader, body):
    assert enter(reader, case, **body).status_code == 422
    assert reader.get(f"/v1/jobs/{case['job_id']}").json()["withheld"]


@pytest.mark.usefixtures("mode_on")
def test_keys_get_results_as_before_and_enter_no_level(case, north, as_role):
    for client in (north, as_role(Role.READER), as_role(Role.HOSPITAL_ADMIN)):
        job = client.get(f"/v1/jobs/{case['job_id']}").json()
        assert (job["withheld"], job["result"]["risk"]) == (False, RISK)
        assert "0.123456" in client.get("/v1/cases.csv").text
        refused = enter(client, case)
        assert (refused.status_code, refused.json()["code"]) == (
            403,
            "own-level-needs-person",
        )


def test_who_has_seen_the_answer_is_shown_it_and_enters_no_level(
    case, admin, reader, as_person
):
    assert reader.get(f"/v1/jobs/{case['job_id']}").json()["result"]["risk"] == RISK
    printer = as_person(Role.READER)
    assert printer.get(f"/v1/cases/{case['case_id']}/report.pdf").status_code == 200
    admin.patch("/v1/hospital", json={"reader_first": "on"})
    for client in (reader, printer):
        assert not client.get(f"/v1/jobs/{case['job_id']}").json()["withheld"]
        late = enter(client, case)
        assert (late.status_code, late.json()["code"]) == (409, "answer-seen")
    assert as_person(Role.READER).get("/v1/cases").json()["cases"][0]["withheld"]


def test_without_the_mode_the_answer_is_shown_at_once(case, reader, admin):
    assert admin.get("/v1/hospital").json()["reader_first"] is None
    assert not reader.get(f"/v1/jobs/{case['job_id']}").json()["withheld"]
    assert "12 %" in reader.get(f"/cases/{case['case_id']}").text


@pytest.mark.usefixtures("mode_on")
def test_a_case_of_another_hospital_takes_no_level_and_an_erased_one_keeps_none(
    case, admin, reader, as_person, ledger
):
    assert enter(as_person(Role.READER, "south"), case).status_code == 404
    assert enter(reader, case).status_code == 201
    path = f"/v1/cases/{case['case_id']}"
    assert admin.delete(f"{path}?ground=patient-request").status_code == 200
    assert enter(admin, case).status_code == 410
    with ledger.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM reader_levels")
        assert count.scalar() == 0


@pytest.mark.usefixtures("mode_on")
def test_similar_cases_do_not_show_the_withheld_answers_to_others(
    ledger, reader, north, distinct_images
):
    observing = Observing(ledger)
    case = observing.result(embedding=(0.0, 0.0))
    past = observing.result(embedding=(0.0, 1.0), malignant=True, risk=0.9)
    distinct_images()
    path = f"/v1/cases/{case}/similar"
    assert reader.get(path).json()["code"] == "own-level-first"
    for own, answer in ((case, (None, None)), (past, (0.9, "malignant"))):
        assert enter(reader, {"case_id": own}).status_code == 201
        (similar,) = reader.get(path).json()["cases"]
        assert (similar["risk"], similar["decision"]) == answer
        assert similar["outcome"]["malignant"]
    (by_key,) = north.get(path).json()["cases"]
    assert by_key["risk"] == 0.9
