from datetime import timedelta

import httpx2
import pytest
from fastapi.testclient import TestClient

from services.api.web.files import STATIC_URL
from shared.domain.roles import Role
from shared.ledger.jobs.queue import QueueProgress
from tests.support.app import create_app
from tests.support.builders import form, png


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


def labelled(image, **fields):
    return {
        "data": {"malignant": "1", **fields},
        "files": {"image": ("a.png", image, "image/png")},
    }


def test_a_dataset_is_filled_image_by_image_and_keeps_each_once(operator):
    assert operator.post("/v1/datasets", json={"name": "set"}).json()["images"] == 0
    first = operator.post(
        "/v1/datasets/set/images", **labelled(png(1), patient="p-1")
    ).json()
    body = operator.post(
        "/v1/datasets/set/images", **labelled(png(1), patient="p-1")
    ).json()
    assert (first["added"], body["added"]) == (True, False)
    second_body = operator.get("/v1/datasets/set").json()
    assert (second_body["images"], second_body["malignant"]) == (1, 1)


def test_a_patients_number_is_not_kept(operator, ledger):
    operator.post("/v1/datasets", json={"name": "set"})
    operator.post("/v1/datasets/set/images", **labelled(png(1), patient="12345678"))
    with ledger.system_session("test") as session:
        (row,) = session.datasets.images(session.datasets.find("set").id)
    assert row.patient
    assert "12345678" not in row.patient


@pytest.mark.parametrize(
    "fields", [{"malignant": "perhaps"}, {"split": "mine"}, {"size_mm": "nan"}]
)
def test_a_label_that_is_none_is_refused(operator, fields):
    operator.post("/v1/datasets", json={"name": "set"})
    assert (
        operator.post(
            "/v1/datasets/set/images", **labelled(png(1), **fields)
        ).status_code
        == 422
    )


def test_a_run_needs_a_known_dataset_and_a_known_recipe(operator):
    operator.post("/v1/datasets", json={"name": "set"})
    assert (
        operator.post(
            "/v1/training-runs", json={"dataset": "none", "recipe": "light"}
        ).status_code
        == 404
    )
    assert (
        400
        <= operator.post(
            "/v1/training-runs", json={"dataset": "set", "recipe": "none"}
        ).status_code
        < 500
    )


def test_hospitals_can_neither_train_nor_promote(north):
    body = {"name": "set", "dataset": "d", "recipe": "r"}
    for path in ("/v1/datasets", "/v1/training-runs", "/v1/models/x/promote"):
        assert north.post(path, json=body).status_code == 403
    assert north.get("/v1/models").status_code == 403


def test_an_unknown_model_is_not_promoted(operator):
    assert (
        operator.post("/v1/models/none/promote", json={}).json()["code"]
        == "model-unknown"
    )


def test_readiness_tells_which_engine_is_away(settings):
    away = settings.model_copy(update={"objects_url": None, "home": settings.home})
    with TestClient(create_app(away)) as client:
        assert client.get("/readyz").json() == {
            "ready": True,
            "checks": {"database": "ok", "objects": "ok"},
            "degraded": {},
        }
    lost = type(settings)(
        **{**settings.model_dump(), "database_url": "postgresql://x@127.0.0.1:1/x"}
    )
    with TestClient(create_app(lost)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["objects"]) == (503, "ok")
        assert "database" in answer.json()["checks"]["database"]
        assert client.get("/healthz").status_code == 200


def test_a_case_is_taken_while_the_broker_is_away(settings, make_key):
    lost = type(settings)(
        **{**settings.model_dump(), "broker_url": "redis+socket:///nowhere/valkey.sock"}
    )
    with TestClient(
        create_app(lost), headers={"Authorization": f"Bearer {make_key()}"}
    ) as client:
        assert client.post("/v1/cases", **form()).status_code == 202
        answer = client.get("/readyz")
        assert (
            answer.status_code,
            answer.json()["ready"],
            list(answer.json()["degraded"]),
        ) == (
            200,
            True,
            ["broker"],
        )


def test_readiness_says_that_room_gets_short_while_cases_are_still_taken(
    settings, make_key
):
    short = settings.model_copy(update={"least_free_mib": 2**40})
    with TestClient(
        create_app(short), headers={"Authorization": f"Bearer {make_key()}"}
    ) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, list(answer.json()["degraded"])) == (200, ["space"])
        assert (
            "Free some space before the disk is full"
            in answer.json()["degraded"]["space"]
        )
        assert client.post("/v1/cases", **form()).status_code == 202


def test_readiness_sees_a_case_that_a_silent_worker_holds(north, gateway, ledger):
    north.post("/v1/cases", **form())
    with ledger.system_session("w") as session:
        session.queue.claim("w", 1, timedelta(minutes=1), 5)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET lease_until = lease_until - interval '5 minutes'"
        )
    assert "none was answered" in gateway.get("/readyz").json()["degraded"]["workers"]


def test_readiness_says_that_cases_wait_and_none_is_answered(north, gateway, ledger):
    north.post("/v1/cases", **form())
    assert gateway.get("/readyz").json()["degraded"] == {}
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET available_at = available_at - interval '5 minutes'"
        )
    answer = gateway.get("/readyz")
    assert (
        answer.status_code,
        "none was answered" in answer.json()["degraded"]["workers"],
    ) == (
        200,
        True,
    )
    metrics = gateway.get("/metrics").text
    assert "sera_last_result_seconds NaN" in metrics
    assert "sera_dead_letters 0.0" in metrics
    assert float(metrics.split("\nsera_oldest_queued_seconds ")[1].split()[0]) >= 300


def test_progress_is_not_stalled_while_results_come():
    assert QueueProgress(500.0, None, 0).is_stalled(60)
    assert QueueProgress(500.0, 61.0, 0).is_stalled(60)
    assert not QueueProgress(500.0, 5.0, 0).is_stalled(60)
    assert not QueueProgress(None, 500.0, 3).is_stalled(60)


def test_metrics_count_requests_and_waiting_jobs(north, gateway):
    north.post("/v1/cases", **form())
    text = gateway.get("/metrics").text
    assert 'sera_jobs{state="queued"} 1.0' in text
    assert (
        'sera_http_requests_total{method="POST",route="/v1/cases",status="2xx"}' in text
    )


def test_an_unknown_address_and_method_are_problems(gateway):
    for answer in (gateway.get("/nothing"), gateway.delete("/v1/cases")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"code", "detail", "retryable"} <= answer.json().keys()


def test_the_page_is_served_with_a_strict_policy_and_its_files(gateway):
    page = gateway.get("/sign-in")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for path in (
        f"{STATIC_URL}/sera.css",
        f"{STATIC_URL}/sign-in.js",
        "/manifest.webmanifest",
    ):
        assert path in page.text
        assert gateway.get(path).status_code == httpx2.codes.OK
    assert gateway.get("/static/../app.py").status_code == 404


def test_files_are_kept_for_as_long_as_they_stay_the_same_and_sent_packed_to_who_takes_that(
    gateway,
):
    packed, plain = (
        gateway.get(f"{STATIC_URL}/sera.css", headers={"Accept-Encoding": item})
        for item in ("gzip", "br")
    )
    assert (packed.content, packed.headers["Cache-Control"]) == (
        plain.content,
        "public, max-age=31536000, immutable",
    )
    assert (
        int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
    )
    assert [row.headers.get("Content-Encoding") for row in (packed, plain)] == [
        "gzip",
        None,
    ]
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for path in ("/static/sera.css", "/static/0123456789abcdef/sera.css"):
        assert gateway.get(path).headers["Cache-Control"] == "no-cache"
    fields = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    answer = gateway.get("/static/sera.css", headers=fields)
    assert (answer.status_code, answer.content) == (304, b"")


def test_no_page_is_packed(gateway):
    assert (
        "Content-Encoding"
        not in gateway.get("/sign-in", headers={"Accept-Encoding": "gzip"}).headers
    )


def test_the_openapi_has_examples_and_problems_for_every_call(gateway):
    spec = gateway.get("/openapi.json").json()
    assert {
        "/v1/cases",
        "/v1/jobs/{job_id}",
        "/v1/cases/{case_id}/explanation.png",
    } <= spec["paths"].keys()
    calls = [
        call
        for path, calls in spec["paths"].items()
        if path.startswith("/v1")
        for call in calls.values()
    ]
    assert all("4XX" in call["responses"] for call in calls)
    assert spec["components"]["schemas"]["JobView"]["examples"]
