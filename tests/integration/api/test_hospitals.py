import pytest
from fastapi.testclient import TestClient

from shared.domain.roles import Role
from shared.statistics import (
    ConformalCases,
    OperatingPoint,
    Proportion,
    conformal_coverage,
)
from tests.support.app import create_app

DIGEST = "ab" * 32


def reference(malignant=40):
    """The reference of a bundle with 40 benign and some malignant images."""
    points = [
        OperatingPoint(
            target,
            round(1 - target, 2),
            target < 0.97,
            Proportion(36, malignant),
            Proportion(30, 40),
        )
        for target in (0.8, 0.9, 0.95, 0.99)
    ]
    scores = [index / 100 for index in range(100)]
    labels = [index % 2 for index in range(100)]
    p_values = ConformalCases.from_scores(scores, labels).p_values(scores)
    rates = {
        name: getattr(points[0], name).to_json()
        for name in ("sensitivity", "specificity")
    }
    coverage = conformal_coverage(*p_values.T, labels, [0.01, 0.1, 0.3])
    return {
        "youden": {"cutoff": 0.5, **rates},
        "operating_points": [point.to_json() for point in points],
        "coverage": [coverage_row.to_json() for coverage_row in coverage],
    }


@pytest.fixture
def administrator(as_role):
    return as_role(Role.HOSPITAL_ADMIN)


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def live(ledger):
    """Stores a model with a reference and promotes it."""

    def make_live(model_reference):
        with ledger.system_session("test") as session:
            session.models.store(
                DIGEST,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
                reference=model_reference,
                card={"format": 1},
            )
            session.models.promote(DIGEST, "test", None)

    return make_live


def test_a_hospital_without_settings_uses_the_defaults_of_the_installation(north):
    body = north.get("/v1/hospital").json()
    assert (
        body["name"],
        body["prevalence"],
        body["target_sensitivity"],
        body["live"],
    ) == (
        "north",
        None,
        None,
        None,
    )
    assert body["in_use"] == {
        "prevalence": 0.23,
        "fna_rule": "risk-band/ACR-2017/1",
        "rate_per_minute": 1200,
        "inflight_quota": 5000,
        "weight": 1.0,
        "retention_days": None,
        "blank_text": "warn",
        "reader_first": "off",
    }
    assert "No model is live" in body["notes"][0]


def test_staff_may_read_but_not_change_the_settings(as_role):
    for role in (Role.SUBMITTER, Role.READER):
        staff = as_role(role)
        assert staff.get("/v1/hospital").status_code == 200
        assert staff.patch("/v1/hospital", json={"prevalence": 0.2}).status_code == 403
        assert staff.get("/v1/hospitals").status_code == 403


def test_an_operator_has_no_hospital_of_its_own_but_changes_any(
    operator, administrator
):
    assert operator.get("/v1/hospital").status_code == 403
    assert administrator.get("/v1/hospital").status_code == 200
    changed = operator.patch("/v1/hospitals/north", json={"refer_alpha": 0.1}).json()
    assert changed["refer_alpha"] == 0.1
    assert [hospital["name"] for hospital in operator.get("/v1/hospitals").json()] == [
        "north"
    ]
    assert (
        operator.patch("/v1/hospitals/nowhere", json={}).json()["code"]
        == "hospital-unknown"
    )


def test_an_administrator_changes_its_own_hospital_only(administrator, as_role):
    as_role(Role.SUBMITTER, "south/2")
    assert (
        administrator.patch("/v1/hospital", json={"prevalence": 0.1}).status_code == 200
    )
    assert (
        administrator.patch(
            "/v1/hospitals/south%2F2", json={"prevalence": 0.1}
        ).status_code
        == 403
    )
    prevalences = {
        hospital["name"]: hospital["prevalence"]
        for hospital in as_role(Role.OPERATOR).get("/v1/hospitals").json()
    }
    assert prevalences == {"north": 0.1, "south/2": None}


def test_an_omitted_setting_stays_and_null_resets_it(administrator):
    administrator.patch(
        "/v1/hospital", json={"prevalence": 0.1, "target_sensitivity": 0.9}
    )
    body = administrator.patch("/v1/hospital", json={"target_sensitivity": None}).json()
    assert (body["prevalence"], body["target_sensitivity"]) == (0.1, None)


REFUSED_CHANGES = [
    ({"prevalence": 0.009}, "0.01 to 0.9"),
    ({"prevalence": 23}, "0.01 to 0.9"),
    ({"target_sensitivity": 0.5}, "0.8 to 0.99"),
    ({"target_sensitivity": 1}, "0.8 to 0.99"),
    ({"refer_alpha": 0.31}, "0.01 to 0.3"),
    ({"fna_rule": "mine"}, "Choose one of"),
    ({"cutoff": 0.3}, "cutoff"),
    ({"prevalence": "high"}, "prevalence"),
]


def test_a_setting_outside_its_limits_is_refused_with_the_limits(administrator):
    settings_before = administrator.get("/v1/hospital").json()
    for change, sentence in REFUSED_CHANGES:
        answer = administrator.patch("/v1/hospital", json=change)
        assert answer.status_code == 422
        assert sentence in answer.json()["detail"]
    assert administrator.get("/v1/hospital").json() == settings_before


def test_the_limits_of_the_target_sensitivity_are_configurable(settings, make_key):
    stricter = settings.model_copy(update={"least_target_sensitivity": 0.9})
    headers = {"Authorization": f"Bearer {make_key(Role.HOSPITAL_ADMIN)}"}
    with TestClient(create_app(stricter), headers=headers) as client:
        assert (
            "0.9 to 0.99"
            in client.patch("/v1/hospital", json={"target_sensitivity": 0.85}).json()[
                "detail"
            ]
        )
        assert (
            client.patch("/v1/hospital", json={"target_sensitivity": 0.9}).status_code
            == 200
        )


def test_nan_is_refused(administrator):
    body = '{"prevalence": NaN}'
    headers = {"Content-Type": "application/json"}
    answer = administrator.patch("/v1/hospital", content=body, headers=headers)
    assert answer.status_code == 422
    assert "prevalence" in answer.json()["detail"]


def test_the_answer_shows_the_resulting_cutoff(administrator, live):
    live(reference())
    youden = administrator.get("/v1/hospital").json()["live"]
    assert (youden["model"], youden["digest"]) == ("light/1", DIGEST)
    assert (
        youden["cutoff"]["rule"],
        youden["cutoff"]["cutoff"],
        youden["referral"],
    ) == (
        "youden",
        0.5,
        None,
    )
    body = administrator.patch(
        "/v1/hospital", json={"target_sensitivity": 0.85, "prevalence": 0.2}
    ).json()
    cutoff = body["live"]["cutoff"]
    assert (cutoff["rule"], cutoff["cutoff"]) == ("sensitivity>=0.9", 0.1)
    assert cutoff["sensitivity"]["value"] == 0.9
    assert cutoff["ppv"] == pytest.approx(0.9 * 0.2 / (0.9 * 0.2 + 0.25 * 0.8))
    assert cutoff["npv"] == pytest.approx(0.75 * 0.8 / (0.75 * 0.8 + 0.1 * 0.2))
    assert body["notes"] == []


def test_the_answer_shows_how_many_cases_would_be_referred(administrator, live):
    live(reference())
    body = administrator.patch(
        "/v1/hospital", json={"refer_alpha": 0.12, "prevalence": 0.2}
    ).json()
    referral = body["live"]["referral"]
    assert referral["alpha"] == 0.1
    assert 0 < referral["refer_rate"] < 1
    assert referral["malignant_coverage"]["value"] >= 0.9


def test_notes_name_promises_that_the_reference_cannot_support(administrator, live):
    live(reference())
    notes = administrator.patch(
        "/v1/hospital", json={"target_sensitivity": 0.98, "refer_alpha": 0.01}
    ).json()["notes"]
    assert "too few to promise a sensitivity of 0.99" in notes[0]
    assert "calibrated on 50 benign images" in notes[1]
    assert "needs at least 99" in notes[1]


def test_a_model_without_a_reference_keeps_youdens_cutoff_with_a_note(
    administrator, live
):
    live(None)
    body = administrator.patch("/v1/hospital", json={"target_sensitivity": 0.9}).json()
    assert body["live"] is None
    assert "Youden" in body["notes"][0]


def test_a_change_is_audited_for_the_hospital_to_see(administrator):
    administrator.patch("/v1/hospital", json={"prevalence": 0.1})
    (event,) = [
        event
        for event in administrator.get("/v1/audit").json()
        if event["event"] == "hospital.changed"
    ]
    assert event["details"] == {
        "before": {"prevalence": None},
        "after": {"prevalence": 0.1},
    }
    assert event["actor"].startswith("key:")


def test_an_operator_adds_a_hospital_once_and_the_event_is_audited(
    operator, administrator
):
    answer = operator.post("/v1/hospitals", json={"name": " East "})
    hospital = answer.json()
    assert (answer.status_code, hospital["name"], hospital["prevalence"]) == (
        201,
        "East",
        None,
    )
    changed = operator.patch(
        "/v1/hospitals/East",
        headers={"If-Match": answer.headers["ETag"]},
        json={"weight": 2},
    )
    assert changed.json()["weight"] == 2
    repeat = operator.post("/v1/hospitals", json={"name": "East"})
    assert (repeat.status_code, repeat.json()["code"]) == (
        409,
        "hospital-exists",
    )
    assert operator.post("/v1/hospitals", json={"name": "  "}).status_code == 422
    assert administrator.post("/v1/hospitals", json={"name": "West"}).status_code == 403
    events = operator.get("/v1/audit?hospital=East").json()
    assert [event["event"] for event in events] == [
        "hospital.added",
        "hospital.changed",
    ]
