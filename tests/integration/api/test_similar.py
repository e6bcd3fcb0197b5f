from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.domain.roles import Role
from tests.support.builders import form
from tests.support.observations import MODEL, Observing


@pytest.fixture
def observing(ledger) -> Observing:
    return Observing(ledger)


@pytest.fixture
def embeddings(ledger):
    """Gives every case an image of its own."""

    def part() -> None:
        with ledger.engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE cases SET image_sha256 = replace(id::text, '-', '') WHERE erased_at IS "
                    "NULL"
                )
            )

    return part


def look(client, case, limit=6):
    answer = client.get(f"/v1/cases/{case}/similar", params={"limit": limit})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_nearest_with_a_known_outcome_come_first_with_their_distance(
    observing, embeddings, north
):
    case = observing.result(embedding=(0.0, 0.0))
    far = observing.result(embedding=(3.0, 4.0), malignant=True, risk=0.9)
    nearest_case = observing.result(
        embedding=(0.0, 1.0), malignant=False, decision="benign"
    )
    observing.result(embedding=(0.0, 0.1))
    embeddings()
    body = look(north, case)
    assert (body["model"], body["among"], body["reason"]) == (MODEL, 2, None)
    assert [item["case_id"] for item in body["cases"]] == [str(nearest_case), str(far)]
    assert [row["distance"] for row in body["cases"]] == pytest.approx([1.0, 5.0])
    assert [entry["outcome"]["malignant"] for entry in body["cases"]] == [False, True]
    assert (
        body["cases"][1] | {"risk": 0.9, "decision": "malignant", "size_mm": 14.5}
        == body["cases"][1]
    )
    assert [element["case_id"] for element in look(north, case, limit=1)["cases"]] == [
        str(nearest_case)
    ]
    assert look(north, case, limit=1)["among"] == 2


def test_other_models_other_hospitals_and_the_same_image_are_left_out(
    observing, embeddings, north, as_role
):
    case = observing.result(embedding=(0.0, 0.0))
    observing.result(embedding=(0.0, 0.0), malignant=True)
    assert look(north, case)["reason"] == "no-known-outcome"
    observing.result(embedding=(0.0, 0.0), malignant=True, model_digest="b" * 64)
    observing.result(embedding=(0.0, 0.0, 0.0), malignant=True)
    observing.result("south", embedding=(0.0, 0.0), malignant=True)
    embeddings()
    assert look(north, case)["among"] == 1
    assert as_role(hospital="south").get(f"/v1/cases/{case}/similar").status_code == 404


def test_the_last_outcome_counts(observing, embeddings, north):
    case = observing.result(embedding=(0.0,))
    corrected = observing.result(embedding=(1.0,), malignant=True)
    observing.outcome(corrected, malignant=False)
    embeddings()
    (single_case,) = look(north, case)["cases"]
    assert single_case["outcome"]["malignant"] is False


def test_without_a_result_or_an_embedding_it_says_so(observing, north):
    assert look(north, observing.result())["reason"] == "model-without-embedding"
    waiting = north.post("/v1/cases", **form()).json()["case_id"]
    assert look(north, waiting) == {
        "model": None,
        "among": 0,
        "cases": [],
        "reason": "no-result",
    }
    assert north.get(f"/v1/cases/{uuid4()}/similar").status_code == 404


def test_what_was_shown_is_on_record_as_read_once(
    observing, embeddings, north, as_role
):
    case = observing.result(embedding=(0.0,))
    other_case = observing.result(embedding=(1.0,), malignant=True)
    embeddings()
    look(north, case)
    look(north, case)
    events = as_role(Role.AUDITOR).get("/v1/audit").json()
    read = [
        (event["event"], event["case_id"])
        for event in events
        if event["event"].endswith(".read")
    ]
    assert sorted(read) == sorted(
        [("case.read", str(case)), ("result.read", str(other_case))]
    )
