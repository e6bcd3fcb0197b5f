"""A reader study over HTTP: people read the same cases blind, then with SERA's result."""

import csv
from io import StringIO
from uuid import uuid4

import cv2
import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.domain.roles import Role
from shared.statistics import delong_test, fleiss_kappa, obuchowski_rockette
from tests.support.reader_studies import REFERRED, new_study, read, studied

IS_MALIGNANT = [True, False, True, False, True, False]
SCORES = [0.91, 0.12, 0.77, 0.64, 0.83, 0.05]
FIRST = [(60, 85), (40, 10), (30, 70), (55, 45), (80, 95), (20, 5)]
SECOND = [(70, 75), (65, 20), (45, 80), (35, 30), (55, 90), (50, 15)]
HIDDEN_WORDS = (
    "0.91",
    "0.455",
    "malignant",
    "benign",
    "mrn-",
    "FNA",
    "light",
    "outcome",
    "histology",
)


@pytest.fixture
def admin(as_person):
    return as_person(Role.HOSPITAL_ADMIN)


@pytest.fixture
def cases(north, ledger):
    return studied(north, ledger, IS_MALIGNANT, SCORES)


@pytest.fixture
def people(make_person):
    return [make_person(Role.READER), make_person(Role.SUBMITTER)]


@pytest.fixture
def readers(people, signed_in):
    return [signed_in(person) for person in people]


@pytest.fixture
def study(admin, cases, people):
    """The ID of an open study."""
    answer = admin.post(
        "/v1/reader-studies", json=new_study([person.id for person in people])
    )
    assert answer.status_code == 201, answer.text
    path = f"/v1/reader-studies/{answer.json()['study_id']}"
    assert admin.post(f"{path}/open").json()["state"] == "open"
    return answer.json()["study_id"]


def readings_by_case(cases, figures):
    return dict(zip(cases, figures, strict=True))


def reading_body(case, phase="blind", **changes):
    return {
        "case_id": case,
        "phase": phase,
        "probability": 70,
        "malignant": True,
    } | changes


def test_two_readers_read_and_the_analysis_is_that_of_the_published_methods(
    admin, readers, study, cases
):
    for reader, figures in zip(readers, (FIRST, SECOND), strict=True):
        read(reader, study, readings_by_case(cases, figures))
    body = admin.get(f"/v1/reader-studies/{study}/analysis").json()
    blind, aided = (
        np.array([[pair[n] for pair in row] for row in (FIRST, SECOND)]) for n in (0, 1)
    )
    is_malignant = np.array(IS_MALIGNANT)
    assert (body["cases"], body["malignant"], body["malignant_share"]) == (6, 3, 0.5)
    for index, reader in enumerate(body["readers"]):
        expected = delong_test(aided[index], blind[index], is_malignant)
        assert reader["auc_change"]["value"] == pytest.approx(expected.difference)
        assert reader["auc_change"]["p_value"] == pytest.approx(expected.p_value)
        assert reader["blind"]["auc"]["value"] == pytest.approx(expected.auc_second)
        assert reader["aided"]["sensitivity"]["count"] == int(
            (aided[index] >= 50)[is_malignant].sum()
        )
        assert reader["mcnemar"]["sensitivity"] <= 1
        assert reader["seconds"]["blind"]["readings"] == 6
        assert 0 < reader["seconds"]["blind"]["median"] < 30
        assert (reader["breaches"], reader["seen_before"]) == (0, 0)
    assert body["sera"]["figures"]["auc"]["value"] == pytest.approx(1)
    assert body["sera"]["figures"]["specificity"]["count"] == 2
    for phase, scores in (("blind", blind), ("aided", aided)):
        expected = fleiss_kappa((scores >= 50).T)
        fleiss = body["agreement"][phase]["fleiss"]
        assert fleiss["value"] == pytest.approx(expected.value)
        assert fleiss["low"] == pytest.approx(expected.interval.low)
    summary = obuchowski_rockette(blind, aided, is_malignant)
    assert body["summary"]["difference"] == pytest.approx(summary.difference)
    assert body["summary"]["p_value"] == pytest.approx(summary.p_value)
    lines = list(
        csv.DictReader(
            StringIO(admin.get(f"/v1/reader-studies/{study}/readings.csv").text)
        )
    )
    assert len(lines) == 24
    assert {line["reader"] for line in lines} == {"1", "2"}
    events = [event["event"] for event in admin.get("/v1/audit?limit=1000").json()]
    assert (events.count("reader-study.read"), events.count("reader-study.shown")) == (
        24,
        24,
    )


def test_the_table_of_readings_states_no_risk_and_no_side_of_a_referred_case(
    admin, people, readers, north, ledger
):
    scores = [REFERRED, 0.12, 0.77, 0.64, 0.83, 0.05]
    cases = studied(north, ledger, IS_MALIGNANT, scores)
    body = new_study([people[0].id], pick={"by": "ids", "ids": cases[:3]})
    study = admin.post("/v1/reader-studies", json=body).json()["study_id"]
    path = f"/v1/reader-studies/{study}"
    admin.post(f"{path}/open")
    read(readers[0], study, readings_by_case(cases, FIRST))
    table = csv.DictReader(StringIO(admin.get(f"{path}/readings.csv").text))
    answers = {
        line["case"]: (line["sera_risk"], line["sera_decision"]) for line in table
    }
    assert answers == {
        cases[0]: ("", "refer"),
        cases[1]: ("0.06", "below"),
        cases[2]: ("0.385", "above"),
    }


def test_the_table_of_readings_has_no_answer_that_is_withheld_from_the_administrator(
    admin, readers, study, cases
):
    for reader in readers:
        read(reader, study, readings_by_case(cases, FIRST))
    admin.patch("/v1/hospital", json={"reader_first": "on"})
    path = f"/v1/reader-studies/{study}/readings.csv"
    body = {"level": "TR3"}
    admin.post(f"/v1/cases/{cases[0]}/reader-level", json=body)
    answered = {
        line["case"]
        for line in csv.DictReader(StringIO(admin.get(path).text))
        if line["sera_score"] or line["sera_risk"] or line["sera_decision"]
    }
    assert answered == {cases[0]}


def test_before_the_blind_reading_neither_seras_result_nor_the_outcome_is_shown(
    readers, study, cases
):
    reader = readers[0]
    path = f"/v1/reader-studies/{study}"
    answer = reader.get(f"{path}/next")
    next_case = answer.json()
    assert not any(
        secret in answer.text + reader.get(path).text for secret in HIDDEN_WORDS
    )
    too_early = reader.get(f"{path}/aided/{next_case['case_id']}")
    assert (too_early.status_code, too_early.json()["code"]) == (403, "blind-first")
    assert (
        reader.post(
            f"{path}/readings", json=reading_body(next_case["case_id"], "aided")
        ).json()["code"]
        == "blind-first"
    )
    unseen = next(case for case in cases if case != next_case["case_id"])
    assert (
        reader.post(f"{path}/readings", json=reading_body(unseen)).json()["code"]
        == "not-shown"
    )
    image = reader.get(next_case["image"])
    pixels = cv2.imdecode(np.frombuffer(image.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape[:2] == (next_case["height"], next_case["width"])


def test_a_blind_reading_is_final_and_a_reader_continues_with_the_next_phase(
    readers, study
):
    reader = readers[0]
    path = f"/v1/reader-studies/{study}"
    case = reader.get(f"{path}/next").json()["case_id"]
    assert reader.post(f"{path}/readings", json=reading_body(case)).status_code == 201
    answer = reader.post(
        f"{path}/readings", json=reading_body(case, probability=10, malignant=False)
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "read-already")
    next_reading = reader.get(f"{path}/next").json()
    assert (next_reading["phase"], next_reading["case_id"]) == ("aided", case)
    aided = reader.get(f"{path}/aided/{case}").json()
    assert (
        aided["blind"]["probability"],
        aided["sera"]["fna"]["recommended"],
    ) == (
        70,
        True,
    )
    assert (
        reader.post(
            f"{path}/readings", json=reading_body(case, "aided", fna=False)
        ).status_code
        == 201
    )
    assert reader.get(f"{path}/next").json()["case_id"] != case


def test_viewing_a_result_before_the_blind_reading_is_a_breach(
    admin, readers, people, study, cases
):
    readers[0].get("/v1/jobs")
    readers[1].get(f"/v1/cases/{cases[0]}")
    read(readers[0], study, readings_by_case(cases, FIRST))
    readers[0].get("/v1/jobs")
    analysis_rows = admin.get(f"/v1/reader-studies/{study}/analysis").json()["readers"]
    assert [row["breaches"] for row in analysis_rows] == [6, 1]
    breaches = [
        event
        for event in admin.get("/v1/audit?limit=1000").json()
        if event["event"] == "reader-study.breached"
    ]
    assert {breach["actor"] for breach in breaches} == {
        f"person:{person.id}" for person in people
    }
    assert len(breaches) == 7


def test_results_viewed_before_the_study_are_counted_separately(
    admin, readers, people, cases
):
    readers[0].get("/v1/jobs")
    study = admin.post(
        "/v1/reader-studies", json=new_study([person.id for person in people])
    ).json()
    admin.post(f"/v1/reader-studies/{study['study_id']}/open")
    analysis_rows = admin.get(
        f"/v1/reader-studies/{study['study_id']}/analysis"
    ).json()["readers"]
    assert [(row["breaches"], row["seen_before"]) for row in analysis_rows] == [
        (0, 6),
        (0, 0),
    ]


def test_a_reloaded_page_shows_the_same_case_and_its_time_does_not_count(
    admin, readers, study
):
    path = f"/v1/reader-studies/{study}"
    for reader in readers:
        first, case = (reader.get(f"{path}/next").json()["case_id"] for _ in range(2))
        assert first == case
    case = readers[0].get(f"{path}/next").json()["case_id"]
    readers[0].post(f"{path}/readings", json=reading_body(case))
    seconds = admin.get(f"{path}/analysis").json()["readers"][0]["seconds"]["blind"]
    assert (seconds["readings"], seconds["interrupted"]) == (0, 1)


def test_an_erased_case_leaves_the_study_with_its_readings(
    admin, readers, study, cases
):
    read(readers[0], study, readings_by_case(cases, FIRST))
    assert (
        admin.delete(f"/v1/cases/{cases[0]}?ground=patient-request").status_code == 200
    )
    body = admin.get(f"/v1/reader-studies/{study}").json()
    assert (body["cases"], body["erased"]) == (5, 1)
    assert (
        admin.get(f"/v1/reader-studies/{study}/analysis").json()["readers"][0]["cases"]
        == 5
    )
    assert readers[1].get(f"/v1/reader-studies/{study}/next").json()["cases"] == 5
    assert cases[0] not in admin.get(f"/v1/reader-studies/{study}/readings.csv").text


def test_only_readers_of_the_study_read_and_only_while_it_is_open(
    admin, as_person, as_role, readers, people, cases, study
):
    stranger = as_person(Role.READER)
    key = as_role(Role.READER)
    path = f"/v1/reader-studies/{study}"
    for other_reader in (stranger, key, as_person(Role.READER, "south")):
        assert [
            other_reader.get(f"{path}/next").status_code,
            other_reader.get(path).status_code,
        ] == [
            404,
            404,
        ]
        assert other_reader.get("/v1/reader-studies").json() == []
    assert [
        reader["study_id"] for reader in readers[0].get("/v1/reader-studies").json()
    ] == [study]
    visible_readers = readers[0].get(path).json()["readers"]
    assert [reader["name"] for reader in visible_readers] == [people[0].name, None]
    assert readers[0].get(f"{path}/analysis").status_code == 403
    case = readers[0].get(f"{path}/next").json()["case_id"]
    assert admin.post(f"{path}/close").json()["state"] == "closed"
    assert (
        readers[0].post(f"{path}/readings", json=reading_body(case)).json()["code"]
        == "reader-study-not-open"
    )
    assert admin.post(f"{path}/open").json()["code"] == "reader-study-state"
    draft = admin.post("/v1/reader-studies", json=new_study([people[0].id])).json()[
        "study_id"
    ]
    assert readers[0].get(f"/v1/reader-studies/{draft}/next").status_code == 404


def test_cases_are_picked_by_number_by_balance_and_by_name(admin, people, cases):
    def create_study(**pick):
        return admin.post(
            "/v1/reader-studies", json=new_study([people[0].id], pick=pick)
        )

    assert create_study(by="balanced", count=4).json()["cases"] == 4
    assert create_study(by="ids", ids=cases[:3]).json()["cases"] == 3
    for refused in (
        create_study(by="newest", count=7),
        create_study(by="ids", ids=[str(uuid4())]),
        create_study(by="newest"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (
            409,
            "reader-study-too-few-cases",
        )
    unfit = admin.post("/v1/reader-studies", json=new_study([uuid4()]))
    assert unfit.json()["code"] == "reader-study-reader-unfit"


FORBIDDEN_STATEMENTS = (
    "UPDATE reader_readings SET probability = 1",
    "DELETE FROM reader_readings",
    "TRUNCATE reader_readings",
    "DELETE FROM reader_study_cases",
    "INSERT INTO reader_study_readers SELECT study_id, gen_random_uuid(), hospital_id, 9 FROM "
    "reader_study_readers",
    "UPDATE reader_studies SET state = 'draft'",
    "INSERT INTO reader_readings (study_id, case_id, person_id, hospital_id, phase, probability, "
    "malignant, "
    "shown_at, sent_at, showings) SELECT study_id, case_id, person_id, c.hospital_id, 'aided', 1, "
    "true, now(), "
    "now(), 1 FROM reader_study_cases c JOIN reader_study_readers USING (study_id) WHERE number = "
    "2",
)
REFUSALS = "append-only|only a draft|draft to open|blind reading comes first"


def test_the_database_refuses_changes_of_a_studys_readings(ledger, readers, study):
    case = readers[0].get(f"/v1/reader-studies/{study}/next").json()["case_id"]
    readers[0].post(f"/v1/reader-studies/{study}/readings", json=reading_body(case))
    for statement in FORBIDDEN_STATEMENTS:
        with (
            pytest.raises(DBAPIError, match=f"(?:{REFUSALS})"),
            ledger.engine.begin() as owner,
        ):
            owner.execute(text(statement))


def test_repeated_writes_of_a_study_under_one_key_are_replayed(
    admin, readers, cases, people
):
    def post_twice(client, path, **request):
        headers = {"Idempotency-Key": str(uuid4())}
        first, repeat = (
            client.post(f"/v1/reader-studies{path}", headers=headers, **request)
            for _ in range(2)
        )
        assert first.is_success, first.text
        assert (repeat.status_code, repeat.json()) == (first.status_code, first.json())
        assert repeat.headers["Idempotent-Replayed"] == "true"
        return first.json()

    path = f"/{post_twice(admin, '', json=new_study([person.id for person in people]))['study_id']}"
    assert len(admin.get("/v1/reader-studies").json()) == 1
    post_twice(admin, f"{path}/open")
    case = readers[0].get(f"/v1/reader-studies{path}/next").json()["case_id"]
    post_twice(readers[0], f"{path}/readings", json=reading_body(case))
    post_twice(admin, f"{path}/close")
