"""`/metrics`: its contents, and that a failing query hides only its own metrics."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from shared.domain.messages import Message
from shared.domain.roles import Role
from shared.errors import Unavailable
from shared.security.audit_signing import seal_key
from tests.support.app import create_app
from tests.support.builders import form
from tests.support.observations import Observing


@pytest.fixture
def metrics(gateway, make_key):
    """Reads the metrics by name and labels, as Prometheus does with an auditor's key."""

    def read():
        page = gateway.get(
            "/metrics", headers={"Authorization": f"Bearer {make_key(Role.AUDITOR)}"}
        )
        assert page.status_code == 200
        families = text_string_to_metric_families(page.text)
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    return read


def test_waiting_jobs_are_counted_by_lane_and_hospital(as_role, metrics, ledger):
    as_role().post("/v1/cases", **form(priority="urgent"))
    for _ in range(2):
        as_role(hospital="south").post("/v1/cases", **form())
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET queued_at = queued_at - interval '1 hour' WHERE urgent"
        )
    figures = metrics()
    assert [figures["sera_queue_jobs", lane] for lane in ("urgent", "routine")] == [
        1,
        2,
    ]
    assert (
        figures["sera_queue_oldest_seconds", "urgent"]
        >= 3600
        > figures["sera_queue_oldest_seconds", "routine"]
    )
    assert figures["sera_hospital_queue_jobs", "south", "routine"] == 2
    assert figures["sera_hospital_queue_oldest_seconds", "north", "urgent"] >= 3600
    assert figures["sera_sent_jobs", "queued"] == 3


def test_expired_leases_and_retried_jobs_are_counted(north, metrics, ledger):
    north.post("/v1/cases", **form())
    with ledger.system_session("w1") as session:
        session.queue.claim("w1", 1, timedelta(seconds=-1), 5)
    assert (figures := metrics())["sera_leases_overdue",] == 1
    assert figures["sera_queue_retried_jobs",] == 0
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET state = 'queued', lease_until = NULL, lease_token = NULL"
        )


def test_failures_are_counted_by_code(metrics, ledger):
    observing = Observing(ledger)
    for reason in ("image-blank", "image-blank", "worker-lost"):
        observing.failed("north", reason)
    figures = metrics()
    assert [
        figures["sera_dead_letters_by_reason", code]
        for code in ("image-blank", "worker-lost")
    ] == [2, 1]
    assert (
        figures["sera_sent_failed_jobs", "image-blank"],
        figures["sera_sent_jobs", "failed"],
    ) == (2, 3)


def test_workers_are_counted_with_the_models_they_serve(metrics, ledger):
    Observing(ledger).model("a" * 64)
    with ledger.system_session("test") as session:
        session.models.promote("a" * 64, "test", "asked for by a test")
        session.serving.report("w1", "a" * 64)
        session.serving.report("w2", None)
        session.serving.report_refusal(
            "w2", "a" * 64, Message("bundle-tampered", {"part": "manifest"})
        )
    figures = metrics()
    assert [
        figures[f"sera_workers{label}",] for label in ("", "_idle", "_refusing")
    ] == [2, 1, 1]
    assert (
        figures["sera_workers_serving", "light/1"]
        == figures["sera_live_model_info", "a" * 64, "light/1"]
        == 1
    )


def test_the_age_of_unsealed_audit_events_is_measured(metrics, ledger, settings):
    with ledger.system_session("test") as session:
        session.hospitals.ensure("north")
    figures = metrics()
    assert figures["sera_audit_unsealed_chains",] >= 1
    assert 0 < figures["sera_audit_unsealed_seconds",] < 60
    with ledger.system_session("test") as session:
        session.seals.add(seal_key(settings))
        age = session.metrics_queries.audit()
    assert (age.unsealed_chains, age.unsealed_s) == (0, 0.0)
    assert 0 <= age.seal_s < 60


def test_a_failing_query_hides_only_its_own_metrics(metrics, ledger):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE trainers RENAME TO hidden")
    figures = metrics()
    assert (
        figures["sera_reading_ok", "training"],
        figures["sera_reading_ok", "lanes"],
    ) == (0, 1)
    assert figures["sera_queue_jobs", "routine"] == 0
    assert ("sera_trainers",) not in figures


def test_a_slow_query_is_cancelled(ledger):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE jobs")
        with pytest.raises(Unavailable):
            count_retried_jobs(ledger, within_s=0.05)


def count_retried_jobs(ledger, within_s):
    with ledger.system_session("test") as session:
        session.metrics_queries.set_timeout(within_s)
        return session.metrics_queries.count_retried()


def test_readiness_checks_and_free_disk_space_are_measured(metrics):
    figures = metrics()
    checks = ("database", "objects", "broker", "workers", "space")
    assert [figures["sera_check_ok", check] for check in checks] == [1] * 5
    assert 0 < figures["sera_home_free_bytes",] <= figures["sera_home_size_bytes",]


METRICS_KEY = "the-key-of-the-metrics"


@pytest.fixture
def metrics_of(settings):
    """Reads `/metrics` of a gateway with other settings."""

    def read(headers, **facts):
        app = create_app(settings.model_copy(update=facts))
        with TestClient(app, raise_server_exceptions=False) as client:
            return client.get("/metrics", headers=headers)

    return read


@pytest.mark.parametrize(
    "facts",
    [
        {"production": True},
        {"host": "0.0.0.0"},
        {"metrics_key": SecretStr(METRICS_KEY)},
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_a_stranger_reads_no_metrics(metrics_of, make_key, facts):
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "nonsense"}):
        answer = metrics_of(headers, **facts)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "sera_" not in answer.text
    assert metrics_of({}, **facts).json()["code"] == "metrics-closed"
    auditor = {"Authorization": f"Bearer {make_key(Role.AUDITOR)}"}
    assert "sera_jobs" in metrics_of(auditor, **facts).text


def test_the_key_of_the_metrics_shows_them_without_the_names_of_hospitals(
    metrics_of, north
):
    assert north.post("/v1/cases", **form()).status_code == 202
    headers = {"Authorization": f"Bearer {METRICS_KEY}"}
    answer = metrics_of(headers, production=True, metrics_key=SecretStr(METRICS_KEY))
    assert answer.status_code == 200
    assert 'sera_jobs{state="queued"} 1.0' in answer.text
    assert "north" not in answer.text


def test_a_client_cannot_invent_label_values(gateway, metrics):
    gateway.request("JANE", "/v1/Doe")
    gateway.get("/Doe/1954")
    figures = metrics()
    requests = {
        name: value
        for name, value in figures.items()
        if name[0] == "sera_http_requests_total"
    }
    assert ("sera_http_requests_total", "other", "unmatched", "4xx") in requests
    assert not any("Doe" in str(name) or "JANE" in str(name) for name in figures)
    assert figures["sera_http_refusals_total", "unauthenticated"] >= 1
