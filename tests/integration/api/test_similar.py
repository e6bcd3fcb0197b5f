from uuid import uuid4

import pytest

from shared.domain.roles import Role
from tests.support.builders import form
from tests.support.observations import MODEL, Observing


@pytest.fixture
def observing(ledger) -> Observing:
    return Observing(ledger)


def similar_cases(client, case, limit=6):
    answer = client.get(f"/v1/cases/{case}/similar", params={"limit": limit})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_similar_cases_have_known_outcomes_and_are_ordered_by_distance(
    observing, distinct_images, north
):
    case = observing.result(embedding=(0.0, 0.0))
    far = observing.result(embedding=(3.0, 4.0), malignant=True, risk=0.9)
    nearest_case = observing.result(
        embedding=(0.0, 1.0), malignant=False, decision="benign"
    )
    observing.result(embedding=(0.0, 0.1))
    distinct_images()
    body = similar_cases(north, case)
    assert (body["model"], body["among"], body["reason"]) == (MODEL, 2, None)
    assert [similar["case_id"] for similar in body["cases"]] == [
        str(nearest_case),
        str(far),
    ]
    assert [similar["distance"] for similar in body["cases"]] == pytest.approx(
        [1.0, 5.0]
    )
    assert [similar["outcome"]["malignant"] for similar in body["cases"]] == [
        False,
        True,
    ]
    assert (
        body["cases"][1] | {"risk": 0.9, "decision": "malignant", "size_mm": 14.5}
        == body["cases"][1]
    )
    assert [
        similar["case_id"] for similar in similar_cases(north, case, limit=1)["cases"]
    ] == [str(nearest_case)]
    assert similar_cases(north, case, limit=1)["among"] == 2


def test_other_models_other_hospitals_and_the_same_image_are_excluded(
    observing, distinct_images, north, as_role
):
    case = observing.result(embedding=(0.0, 0.0))
    observing.result(embedding=(0.0, 0.0), malignant=True)
    assert similar_cases(north, case)["reason"] == "no-known-outcome"
    observing.result(embedding=(0.0, 0.0), malignant=True, model_digest="b" * 64)
    observing.result(embedding=(0.0, 0.0, 0.0), malignant=True)
    observing.result("south", embedding=(0.0, 0.0), malignant=True)
    distinct_images()
    assert similar_cases(north, case)["among"] == 1
    assert as_role(hospital="south").get(f"/v1/cases/{case}/similar").status_code == 404


def test_the_last_outcome_counts(observing, distinct_images, north):
    case = observing.result(embedding=(0.0,))
    corrected = observing.result(embedding=(1.0,), malignant=True)
    observing.outcome(corrected, malignant=False)
    distinct_images()
    (single_case,) = similar_cases(north, case)["cases"]
    assert single_case["outcome"]["malignant"] is False


def test_without_a_result_or_an_embedding_the_reason_is_given(observing, north):
    assert (
        similar_cases(north, observing.result())["reason"] == "model-without-embedding"
    )
    waiting = north.post("/v1/cases", **form()).json()["case_id"]
    assert similar_cases(north, waiting) == {
        "model": None,
        "among": 0,
        "cases": [],
        "reason": "no-result",
    }
    assert north.get(f"/v1/cases/{uuid4()}/similar").status_code == 404


def test_shown_cases_are_audited_as_read_once(
    observing, distinct_images, north, as_role
):
    case = observing.result(embedding=(0.0,))
    other_case = observing.result(embedding=(1.0,), malignant=True)
    distinct_images()
    similar_cases(north, case)
    similar_cases(north, case)
    events = as_role(Role.AUDITOR).get("/v1/audit").json()
    audited = [
        (event["event"], event["case_id"])
        for event in events
        if event["event"].endswith(".read")
    ]
    assert sorted(audited) == sorted(
        [("case.read", str(case)), ("result.read", str(other_case))]
    )
