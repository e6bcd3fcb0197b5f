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


def test_a_dataset_is_filled_image_by_image_and_stores_each_once(operator):
    assert operator.post("/v1/datasets", json={"name": "set"}).json()["images"] == 0
    first = operator.post(
        "/v1/datasets/set/images", **labelled(png(1), patient="p-1")
    ).json()
    repeat = operator.post(
        "/v1/datasets/set/images", **labelled(png(1), patient="p-1")
    ).json()
    assert (first["added"], repeat["added"]) == (True, False)
    dataset = operator.get("/v1/datasets/set").json()
    assert (dataset["images"], dataset["malignant"]) == (1, 1)


def test_a_patient_number_is_stored_as_a_pseudonym_only(operator, ledger):
    operator.post("/v1/datasets", json={"name": "set"})
    operator.post("/v1/datasets/set/images", **labelled(png(1), patient="12345678"))
    with ledger.system_session("test") as session:
        (row,) = session.datasets.images(session.datasets.find("set").id)
    assert row.patient
    assert "12345678" not in row.patient


@pytest.mark.parametrize(
    "fields", [{"malignant": "perhaps"}, {"split": "mine"}, {"size_mm": "nan"}]
)
def test_an_invalid_label_is_refused(operator, fields):
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


def test_readiness_names_the_unavailable_engine(settings):
    with_defaults = settings.model_copy(
        update={"objects_url": None, "home": settings.home}
    )
    with TestClient(create_app(with_defaults)) as client:
        assert client.get("/readyz").json() == {
            "ready": True,
            "checks": {"database": "ok", "objects": "ok"},
            "degraded": {},
        }
    without_database = type(settings)(
        **{**settings.model_dump(), "database_url": "postgresql://x@127.0.0.1:1/x"}
    )
    with TestClient(create_app(without_database)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["objects"]) == (503, "ok")
        assert "database" in answer.json()["checks"]["database"]
        assert client.get("/healthz").status_code == 200


def test_a_case_is_accepted_while_the_broker_is_away(settings, make_key):
    without_broker = type(settings)(
        **{**settings.model_dump(), "broker_url": "redis+socket:///nowhere/valkey.sock"}
    )
    with TestClient(
        create_app(without_broker), headers={"Authorization": f"Bearer {make_key()}"}
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


def test_readiness_warns_of_low_disk_space_while_cases_are_still_accepted(
    settings, make_key
):
    with_little_space = settings.model_copy(update={"least_free_mib": 2**40})
    with TestClient(
        create_app(with_little_space), headers={"Authorization": f"Bearer {make_key()}"}
    ) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, list(answer.json()["degraded"])) == (200, ["space"])
        assert (
            "Free some space before the disk is full"
            in answer.json()["degraded"]["space"]
        )
        assert client.post("/v1/cases", **form()).status_code == 202


def test_readiness_reports_a_case_with_a_silent_worker(north, gateway, ledger):
    north.post("/v1/cases", **form())
    with ledger.system_session("w") as session:
        session.queue.claim("w", 1, timedelta(minutes=1), 5)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET lease_until = lease_until - interval '5 minutes'"
        )
    assert "none was answered" in gateway.get("/readyz").json()["degraded"]["workers"]


def test_readiness_reports_waiting_cases_without_results(north, gateway, ledger):
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


def test_progress_is_stalled_if_cases_wait_without_recent_results():
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


def test_the_page_has_a_strict_policy_and_its_files_are_served(gateway):
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


def test_versioned_files_are_cached_for_a_year_and_compressed_on_request(
    gateway,
):
    compressed, plain = (
        gateway.get(f"{STATIC_URL}/sera.css", headers={"Accept-Encoding": encoding})
        for encoding in ("gzip", "br")
    )
    assert (compressed.content, compressed.headers["Cache-Control"]) == (
        plain.content,
        "public, max-age=31536000, immutable",
    )
    assert (
        int(compressed.headers["Content-Length"])
        < int(plain.headers["Content-Length"]) / 2
    )
    assert [
        answer.headers.get("Content-Encoding") for answer in (compressed, plain)
    ] == [
        "gzip",
        None,
    ]
    assert compressed.headers["ETag"] != plain.headers["ETag"]
    for path in ("/static/sera.css", "/static/0123456789abcdef/sera.css"):
        assert gateway.get(path).headers["Cache-Control"] == "no-cache"
    headers = {"If-None-Match": compressed.headers["ETag"], "Accept-Encoding": "gzip"}
    answer = gateway.get("/static/sera.css", headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")


def test_pages_are_not_compressed(gateway):
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
