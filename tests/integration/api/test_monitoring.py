from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest

from services.api.monitoring.schemas import (
    CoverageView,
    DriftView,
    PerformanceView,
    QualityView,
)
from shared.domain.roles import Role
from shared.statistics import conformal_coverage, delong_interval, roc_auc
from tests.support.observations import MODEL, Observing

VIEWS = {
    "drift": DriftView,
    "quality": QualityView,
    "performance": PerformanceView,
    "coverage": CoverageView,
}
UNIFORM = np.linspace(0, 1, 101).tolist()
NORMAL = np.quantile(np.random.default_rng(0).normal(size=5_000), UNIFORM).tolist()
QUANTILES = {
    "score": UNIFORM,
    "risk": UNIFORM,
    "strangeness": UNIFORM,
    "embedding": [NORMAL, NORMAL],
}
REFERENCE = {"images": 3_000, "quantiles": QUANTILES}


@pytest.fixture
def observing(ledger):
    return Observing(ledger)


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


def read(client, figure, **parameters):
    """Return the answer after a check against its schema."""
    answer = client.get(f"/v1/monitoring/{figure}", params=parameters)
    assert answer.status_code == 200, answer.text
    VIEWS[figure].model_validate(answer.json())
    return answer.json()


def even(count, low=0.0, high=1.0):
    return np.linspace(low, high, count + 2)[1:-1].tolist()


def test_without_data_the_answers_are_empty_and_valid(operator):
    for figure in VIEWS:
        body = read(operator, figure)
        assert not any(
            body.get(name) for name in ("groups", "hospitals", "over_time", "state")
        )
        assert body["window"]["until"] is None
        assert datetime.fromisoformat(body["window"]["since"]).hour == 0


def test_drift_is_measured_for_each_hospital_and_device_against_the_models_reference(
    operator, observing
):
    observing.model(reference=REFERENCE)
    directions = np.random.default_rng(1).normal(size=(120, 2))
    steady = {
        "score": even(120),
        "strangeness": even(120),
        "embedding": directions.tolist(),
    }
    observing.results(120, "north", "CX50", **steady)
    observing.results(
        120,
        "south",
        "LOGIQ",
        **steady | {"score": even(120, 0.5), "embedding": (directions + 1).tolist()},
    )
    observing.results(9, "south")
    body = read(operator, "drift")
    groups = {
        (group["hospital"], group["level"], group["device"]): group
        for group in body["groups"]
    }
    expected_keys = [
        ("north", "hospital", None),
        ("north", "device", "CX50"),
        ("south", "hospital", None),
    ]
    assert list(groups) == [
        *expected_keys,
        ("south", "device", None),
        ("south", "device", "LOGIQ"),
    ]
    states = [groups[key]["state"] for key in groups]
    assert (states, body["state"]) == (
        ["ok", "ok", "alarm", "too-few", "alarm"],
        "alarm",
    )
    north = groups[expected_keys[1]]
    south = groups["south", "device", "LOGIQ"]
    assert north["model"] == {"digest": MODEL, "name": "light", "version": 1}
    assert {
        quantity["quantity"]: quantity["state"] for quantity in north["quantities"]
    } == dict.fromkeys(steady, "ok")
    assert {
        quantity["quantity"]: quantity["state"] for quantity in south["quantities"]
    } == {
        "score": "alarm",
        "strangeness": "ok",
        "embedding": "alarm",
    }
    assert [groups[key]["n"] for key in expected_keys[2:]] == [129]
    assert any(sentence.startswith("score: PSI") for sentence in south["sentences"])
    assert "look at recent ones" in south["sentences"][-1]
    assert "it takes 50" in groups["south", "device", None]["sentences"][-1]


def test_without_a_reference_drift_cannot_be_measured(operator, observing):
    observing.model(reference=None)
    observing.results(2)
    observing.results(1, model_digest="e" * 64)
    broken = "d" * 64
    observing.model(
        broken,
        reference={
            "quantiles": {"score": [1, 1, 1], "embedding": 7, "strangeness": ["x"] * 20}
        },
    )
    observing.results(1, model_digest=broken)
    body = read(operator, "drift")
    assert body["state"] is None
    assert len(body["groups"]) == 6
    for group in body["groups"]:
        assert (group["state"], group["quantities"]) == (None, [])
        assert "cannot be measured" in group["sentences"][0]
    assert {group["model"]["name"] for group in body["groups"]} == {"light", None}


def test_quality_gives_the_rate_of_each_warning_and_failure(operator, observing):
    observing.results(
        8,
        device="CX50",
        warnings=[("saturated",)] * 2 + [()] * 6,
        decision=["refer"] + ["benign"] * 7,
    )
    observing.failed("north", "image-blank", device="CX50")
    observing.failed("north", "image-unreadable")
    body = read(operator, "quality")
    hospital_group, unknown, device = body["groups"]
    assert [group["device"] for group in (hospital_group, unknown, device)] == [
        None,
        None,
        "CX50",
    ]
    assert (
        hospital_group["results"],
        hospital_group["failed"]["count"],
        hospital_group["failed"]["of"],
    ) == (
        8,
        2,
        10,
    )
    assert (
        device["failed"]["count"],
        device["failed"]["of"],
        unknown["failed"]["value"],
    ) == (
        1,
        9,
        1.0,
    )
    (warning,) = device["warnings"]
    assert (warning["code"], warning["rate"]["value"]) == ("saturated", 0.25)
    assert warning["rate"]["low"] < 0.25 < warning["rate"]["high"]
    assert [failure["code"] for failure in hospital_group["failures"]] == [
        "image-blank",
        "image-unreadable",
    ]
    assert hospital_group["refer"]["value"] == 1 / 8
    observing.model()
    assert (
        "those of all models"
        in read(operator, "quality", model="light/1")["sentences"][0]
    )


def test_performance_is_computed_from_outcomes_and_names_the_missing_ones(
    operator, observing
):
    random = np.random.default_rng(3)
    labels = random.random(60) < 0.4
    scores = np.clip(random.normal(0.35 + 0.3 * labels, 0.2), 0.01, 0.99)
    decisions = np.where(
        scores > 0.6, "malignant", np.where(scores < 0.4, "benign", "refer")
    )
    malignant = [bool(label) for label in labels]
    observing.results(
        60,
        score=scores.tolist(),
        risk=scores.tolist(),
        decision=decisions.tolist(),
        malignant=malignant,
    )
    observing.results(40, decision="benign")
    observing.results(3, "south", decision="benign", malignant=True, days_ago=20)
    body = read(operator, "performance", step="week")
    north = next(group for group in body["hospitals"] if group["hospital"] == "north")[
        "figures"
    ]
    assert north["with_outcome"]["value"] == 0.6
    assert north["outcome_known"]["benign"]["of"] == 40 + (decisions == "benign").sum()
    interval = delong_interval(scores, labels)
    assert north["auc"] == pytest.approx(
        {"value": roc_auc(scores, labels), "low": interval.low, "high": interval.high}
    )
    true_positives = labels & (decisions == "malignant")
    false_negatives = labels & (decisions == "benign")
    assert (north["sensitivity"]["count"], north["sensitivity"]["of"]) == (
        true_positives.sum(),
        true_positives.sum() + false_negatives.sum(),
    )
    assert sum(north["referred"].values()) == (decisions == "refer").sum()
    ratio = north["calibration"]["observed_expected"]
    assert ratio["ratio"] == pytest.approx(labels.sum() / scores.sum())
    assert ratio["low"] < ratio["ratio"] < ratio["high"]
    assert (
        sum(risk_bin["malignant"]["of"] for risk_bin in north["calibration"]["bins"])
        == 60
    )
    south = next(group for group in body["hospitals"] if group["hospital"] == "south")[
        "figures"
    ]
    assert (
        south["auc"],
        south["sensitivity"]["value"],
        south["specificity"]["value"],
    ) == (
        None,
        0.0,
        None,
    )
    assert (body["all"]["results"], body["all"]["malignant"]) == (103, labels.sum() + 3)
    steps = [datetime.fromisoformat(step["begins"]) for step in body["over_time"]]
    assert len(steps) == 2
    assert steps == sorted(steps)
    assert {step.weekday() for step in steps} == {0}
    assert "not missing at random" in body["sentences"][0]
    assert "Fewer than 100" in body["sentences"][1]


def test_without_outcomes_performance_explains_how_to_send_them_and_pooled_models_are_named(
    operator, observing
):
    observing.results(2)
    body = read(operator, "performance")
    assert "/outcome" in body["sentences"][0]
    assert (body["all"]["auc"], body["all"]["calibration"]) == (None, None)
    observing.results(2, malignant=[True, False], risk=0.0)
    observing.results(1, malignant=True, risk=0.0, model_digest="b" * 64)
    body = read(operator, "performance", until=next_hour())
    assert body["all"]["calibration"]["observed_expected"] is None
    assert "2 models are pooled" in body["sentences"][-1]


def next_hour():
    """A time after every result. As a parameter it bypasses the cached answer."""
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_coverage_equals_the_statistical_function(operator, observing):
    random = np.random.default_rng(4)
    labels = [bool(label) for label in random.random(50) < 0.4]
    benign, malignant = random.uniform(0.01, 1, (2, 50)).round(3).tolist()
    observing.results(50, malignant=labels, benign_p=benign, malignant_p=malignant)
    observing.results(5, malignant=True)
    body = read(operator, "coverage")
    assert [step["alpha"] for step in body["all"]] == [0.01, 0.05, 0.1, 0.2]
    (expected,) = conformal_coverage(benign, malignant, labels, [0.3])
    with_alpha = read(operator, "coverage", alpha=0.3)
    assert with_alpha["all"] == [expected.to_json()]
    assert with_alpha["hospitals"][0]["steps"] == with_alpha["all"]
    assert (
        operator.get("/v1/monitoring/coverage", params={"alpha": 1}).status_code == 422
    )


def test_an_administrator_sees_its_own_hospital_only(as_role, observing):
    observing.model(reference=REFERENCE)
    for hospital in ("north", "south"):
        observing.results(
            2, hospital, malignant=[True, False], benign_p=0.5, malignant_p=0.5
        )
        observing.failed(hospital, "image-blank")
    admin = as_role(Role.HOSPITAL_ADMIN, "north")
    south = str(observing.hospital("south"))
    own_id = ({}, {"hospital": "north"}, {"hospital": str(observing.hospital("north"))})
    for figure, parameters in product(VIEWS, own_id):
        body = read(admin, figure, **parameters)
        groups = body["groups"] if "groups" in body else body["hospitals"]
        assert {group["hospital"] for group in groups} == {"north"}
        assert south not in str(body)
    for figure, query in product(VIEWS, ("south", south, "none")):
        refused = admin.get(f"/v1/monitoring/{figure}", params={"hospital": query})
        assert (refused.status_code, refused.json()["code"]) == (404, "not-found")


def test_operators_and_auditors_see_and_filter_all_hospitals_and_other_roles_see_none(
    as_role, observing, gateway
):
    for hospital, device in (("north", "CX50"), ("south", "LOGIQ")):
        observing.results(1, hospital, device)
    for role in (Role.OPERATOR, Role.AUDITOR):
        client = as_role(role)
        assert {group["hospital"] for group in read(client, "quality")["groups"]} == {
            "north",
            "south",
        }
        assert {
            group["hospital"]
            for group in read(client, "quality", hospital="south")["groups"]
        } == {"south"}
        assert [
            group["device"]
            for group in read(client, "quality", device="CX50")["groups"]
        ] == [
            None,
            "CX50",
        ]
    for role in (Role.SUBMITTER, Role.READER):
        assert as_role(role).get("/v1/monitoring/drift").status_code == 403
    assert gateway.get("/v1/monitoring/drift").status_code == 401


def test_an_invalid_query_is_refused_with_its_code(operator):
    queries = [
        (
            {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
            422,
            "window-invalid",
        ),
        ({"since": "2020-02-01T00:00:00Z"}, 422, "window-invalid"),
        ({"since": "2999-02-01T00:00:00Z"}, 422, "window-invalid"),
        ({"since": "2026-02-01T00:00:00"}, 422, "invalid-request"),
        (
            {"since": "0001-01-01T00:00:00Z", "until": "0001-01-02T00:00:00Z"},
            422,
            "invalid-request",
        ),
        ({"until": "9999-12-31T23:59:59-12:00"}, 200, None),
        ({"until": "0001-01-02T00:00:00Z"}, 422, "invalid-request"),
        ({"model": "none"}, 404, "model-unknown"),
        ({"hospital": "none"}, 404, "not-found"),
        ({"device": "\0"}, 422, "invalid-request"),
        ({"model": "\0\0\0\0\0\0\0\0"}, 422, "invalid-request"),
        ({"step": "day"}, 422, "invalid-request"),
    ]
    for parameters, status, code in queries:
        answer = operator.get("/v1/monitoring/performance", params=parameters)
        assert (answer.status_code, answer.json().get("code")) == (status, code), (
            parameters
        )


def test_an_unchanged_dashboard_is_answered_304(operator, observing):
    observing.results(2)
    first = operator.get("/v1/monitoring/quality")
    assert first.headers["Cache-Control"] == "private, max-age=30"
    assert first.headers["Vary"] == "Authorization, Cookie"
    answer = operator.get(
        "/v1/monitoring/quality", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (answer.status_code, answer.content) == (304, b"")
    observing.results(1)
    changed = operator.get("/v1/monitoring/quality", params={"hospital": "north"})
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_metrics_name_hospitals_only_to_roles_that_see_all_of_them(
    gateway, observing, ledger, make_key
):
    observing.model(reference=REFERENCE)
    with ledger.system_session("test") as session:
        session.models.promote(MODEL, "test", None)
    observing.results(60, score=even(60, 0.6))
    observing.results(5, "south", decision="refer")
    plain = gateway.get("/metrics").text
    assert 'sera_results{decision="malignant"} 60.0' in plain
    assert 'sera_results{decision="benign"} 0.0' in plain
    assert "north" not in plain
    text = gateway.get(
        "/metrics", headers={"Authorization": f"Bearer {make_key(Role.AUDITOR)}"}
    ).text
    assert 'sera_hospital_results{decision="refer",hospital="south"} 5.0' in text
    assert 'sera_drift_psi{hospital="north",quantity="score"}' in text
    assert 'sera_drift_state{hospital="north",quantity="score"} 2.0' in text
    assert 'sera_drift_state{hospital="south"' not in text
    assert 'sera_jobs{state="queued"} 65.0' in text
    admin = gateway.get(
        "/metrics", headers={"Authorization": f"Bearer {make_key(Role.HOSPITAL_ADMIN)}"}
    )
    assert (admin.status_code, admin.json()["code"]) == (403, "forbidden")
    assert (
        gateway.get("/metrics", headers={"Authorization": "Bearer nobody"}).status_code
        == 401
    )


def test_every_dashboard_has_examples_and_descriptions(gateway):
    schemas = gateway.get("/openapi.json").json()["components"]["schemas"]
    for name in (
        "DriftGroup",
        "QuantityDrift",
        "QualityGroup",
        "PerformanceFigures",
        "CoverageStep",
        "RateView",
    ):
        fields = schemas[name]["properties"].values()
        assert "examples" in schemas[name] or any(
            "examples" in field for field in fields
        )
        assert any("description" in field for field in fields)
