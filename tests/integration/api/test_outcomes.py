import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from pydicom import examples

from shared.domain.roles import Role
from tests.support.builders import form, png

OUTCOME = {
    "malignant": True,
    "source": "histology",
    "determined_on": "2026-03-14",
    "patient": "P-17",
    "consent": True,
}

JSON = {"Content-Type": "application/json"}
"""For bodies that httpx2 cannot encode, such as half a surrogate pair in an escape."""


@pytest.fixture
def operator(as_role):
    client = as_role(Role.OPERATOR)
    client.post("/v1/datasets", json={"name": "set"})
    return client


@pytest.fixture
def case(north):
    return north.post("/v1/cases", **form()).json()["links"]["case"]


def test_a_case_shows_its_latest_outcome_and_nothing_of_the_patient(
    north, case, as_role
):
    assert north.get(case).json()["outcome"] is None
    answer = north.post(f"{case}/outcome", json=OUTCOME)
    assert answer.status_code == 201
    fields = {
        "malignant": True,
        "source": "histology",
        "determined_on": "2026-03-14",
        "consent": True,
    }
    assert answer.json() | fields | {"patient_known": True} == answer.json()
    north.post(f"{case}/outcome", json={"malignant": False, "source": "follow-up"})
    latest = as_role(Role.READER).get(case)
    assert (
        latest.json()["outcome"]
        | {"malignant": False, "consent": False, "determined_on": None}
        == latest.json()["outcome"]
    )
    assert "P-17" not in latest.text + answer.text


def test_only_submitting_roles_record_outcomes_of_their_own_hospitals_cases(
    case, as_role, north
):
    south = as_role(hospital="south")
    for client, address, status in (
        (south, case, 404),
        (north, f"/v1/cases/{uuid4()}", 404),
        (as_role(Role.READER), case, 403),
        (as_role(Role.OPERATOR), case, 403),
        (as_role(Role.HOSPITAL_ADMIN), case, 201),
    ):
        assert client.post(f"{address}/outcome", json=OUTCOME).status_code == status
    assert south.get(case).status_code == 404


def test_an_outcome_may_have_todays_date_of_any_time_zone(north, case):
    today = datetime.now(timezone(timedelta(hours=14))).date().isoformat()
    assert (
        north.post(
            f"{case}/outcome", json=OUTCOME | {"determined_on": today}
        ).status_code
        == 201
    )


def test_an_invalid_outcome_is_refused_with_the_name_of_its_field(north, case):
    future_date = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    for name, value in (
        ("malignant", None),
        ("source", "guess"),
        ("determined_on", future_date),
        ("determined_on", "2999-01-01"),
        ("determined_on", "soon"),
        ("patient", "a\0b"),
        ("patient", "\ud800"),
        ("patient", "1" * 201),
        ("consent", "perhaps"),
        ("consented", True),
    ):
        answer = north.post(
            f"{case}/outcome", content=json.dumps(OUTCOME | {name: value}), headers=JSON
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        assert name in answer.json()["detail"]
    assert north.get(case).json()["outcome"] is None


def test_outcomes_are_imported_with_consent_and_removed_when_it_is_withdrawn(
    operator, north, case
):
    loop = north.post(
        "/v1/cases", **form(examples.get_path("ybr_color").read_bytes(), frame=7)
    ).json()
    for address in (case, loop["links"]["case"]):
        north.post(f"{address}/outcome", json=OUTCOME)
    assert operator.post(
        "/v1/datasets/set/outcomes", json={"since": "2026-01-01", "hospital": "north"}
    ).json() == {
        "added": 2,
        "corrected": 0,
        "known": 0,
        "withdrawn": [],
        "refused": [],
    }
    shares = operator.get("/v1/datasets/set").json()["shares"]
    assert shares == [{"split": "train", "site": "north", "images": 2, "malignant": 2}]
    assert operator.post("/v1/datasets/set/versions").json()["number"] == 1
    north.post(f"{case}/outcome", json=OUTCOME | {"consent": False})
    (withdrawn,) = operator.post("/v1/datasets/set/outcomes", json={}).json()[
        "withdrawn"
    ]
    assert (withdrawn["case_id"], withdrawn["versions"]) == (
        case.rpartition("/")[2],
        [1],
    )
    version = operator.post("/v1/datasets/set/versions").json()
    assert (version["number"], version["images"]) == (2, 1)


def test_only_the_hospital_corrects_the_label_of_its_case(operator, north, case):
    north.post(f"{case}/outcome", json=OUTCOME)
    operator.post("/v1/datasets/set/outcomes", json={})
    address = f"/v1/datasets/set/images/{north.get(case).json()['image']['sha256']}"
    refused = operator.put(address, json={"malignant": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "label-of-case")
    assert operator.put(address, json={"split": "test"}).json()["split"] == "test"


def test_a_synthetic_dataset_takes_no_outcomes(operator):
    operator.post("/v1/datasets", json={"name": "phantoms", "synthetic": True})
    answer = operator.post("/v1/datasets/phantoms/outcomes", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset-of-other-kind")


def test_invalid_filters_are_refused(operator):
    for wrong in ({"since": "yesterday"}, {"hospital": "a\0"}, {"site": "north"}):
        assert operator.post("/v1/datasets/set/outcomes", json=wrong).status_code == 422


def test_an_unknown_hospital_is_named(operator):
    assert (
        operator.post("/v1/datasets/set/outcomes", json={"hospital": "west"}).json()[
            "code"
        ]
        == "hospital-unknown"
    )


def test_a_patient_number_forms_one_group_in_an_import_and_in_an_outcome(
    operator, north, case, ledger
):
    north.post(f"{case}/outcome", json=OUTCOME)
    operator.post("/v1/datasets/set/outcomes", json={})
    upload = {
        "data": {"malignant": "0", "patient": "P-17", "site": "north"},
        "files": {"image": ("a.png", png(3))},
    }
    operator.post("/v1/datasets", json={"name": "other"})
    operator.post("/v1/datasets/other/images", **upload)
    with ledger.system_session("test") as session:
        (first_case,), (second_case,) = (
            session.datasets.images(session.datasets.find(name).id)
            for name in ("set", "other")
        )
    assert first_case.group == second_case.group
