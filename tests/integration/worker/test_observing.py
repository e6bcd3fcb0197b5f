"""Traces, metrics and logs of a case on its way from the gateway through the worker."""

import json
import logging
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.domain.roles import Role
from shared.observability import logs, tracing
from shared.observability.logs import configure_stderr
from shared.observability.metrics import REGISTRY
from shared.phantoms import draw
from shared.settings import Settings
from tests.support.app import create_app
from tests.support.builders import dicom_file, encode, form, png

TELLTALE = "telltale"
NAME = f"{TELLTALE}^Jane"
NUMBER = f"{TELLTALE}-4711"
LABEL = f"{TELLTALE} batch"
SIZE = 17.31
STAGES = {"fetch", "decode", "preprocess", "features", "classify", "write"}


@pytest.fixture
def north(database_url, engines, ledger, objects, tmp_path):
    """The gateway as a hospital sees it, with the worker's own ledger and objects."""
    settings = Settings(
        home=tmp_path,
        database_url=database_url,
        broker_url=engines.broker_url,
        objects_url=(tmp_path / "objects").as_uri(),
    )
    with ledger.system_session("test") as session:
        key = session.api_keys.create_text(
            Role.SUBMITTER, session.hospitals.ensure("north"), "test"
        )
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(
        create_app(settings), headers=headers, raise_server_exceptions=False
    ) as client:
        yield client


@pytest.fixture
def spans():
    """Reads the finished spans of this process."""
    exporter = InMemorySpanExporter()
    tracing.install("test", 1.0, SimpleSpanProcessor(exporter))
    yield exporter.get_finished_spans
    tracing.close()


@pytest.fixture
def log_lines(monkeypatch):
    """Reads the log, line by line."""
    root = logging.getLogger()
    log_stream = StringIO()
    handlers = list(root.handlers)
    level = root.level
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", log_stream)
        logs.configure("test", "DEBUG", worker="w1")
    yield lambda: [json.loads(line) for line in log_stream.getvalue().splitlines()]
    configure_stderr()
    root.handlers[:] = handlers
    root.setLevel(level)


def patient_form(image=None):
    """A submission with the patient in every field."""
    tags = {"PatientName": NAME, "PatientID": NUMBER, "StudyDescription": LABEL}
    data = dicom_file(draw(3, size_px=128).pixels, **tags) if image is None else image
    submission = form(data, size_mm=SIZE, external_id=NUMBER, batch=LABEL)
    submission["files"] = {"image": (f"{NAME}.dcm", data, "application/dicom")}
    return submission


def test_one_trace_leads_from_the_request_to_the_workers_stages(
    north, service, promote, spans
):
    promote(0)
    accepted = north.post(
        "/v1/cases", **patient_form(), headers={"Idempotency-Key": "k"}
    ).json()
    service.work()
    spans_by_name = {span.name: span for span in spans()}
    assert spans_by_name.keys() >= {"POST /v1/cases", "job.ring", "case.work", *STAGES}
    assert len({span.context.trace_id for span in spans_by_name.values()}) == 1
    request = spans_by_name["POST /v1/cases"]
    work = spans_by_name["case.work"]
    assert work.parent.span_id == request.context.span_id
    assert {spans_by_name[stage].parent.span_id for stage in STAGES} == {
        work.context.span_id
    }
    assert (work.attributes["job"], work.attributes["outcome"]) == (
        accepted["job_id"],
        "done",
    )
    assert request.attributes["http.route"] == "/v1/cases"
    assert request.start_time <= work.start_time < work.end_time
    everything = " ".join(span.to_json() for span in spans()).lower()
    secrets = (TELLTALE, str(SIZE), "north")
    assert [secret for secret in secrets if secret in everything] == []


def test_metrics_count_the_batch_its_stages_and_its_outcomes(
    service, send, promote, objects
):
    earlier = read_metrics()
    digest = promote(0)
    send()
    send(png(1)[:400])
    service.work()
    changes = {
        name: value - earlier.get(name, 0) for name, value in read_metrics().items()
    }
    assert changes["sera_worker_batch_images_sum"] == 2
    assert [
        changes[f"sera_worker_jobs_total {outcome}"] for outcome in ("done", "failed")
    ] == [1, 1]
    assert changes["sera_case_answer_seconds_count routine"] == 1
    assert {
        stage
        for stage in STAGES
        if changes[f"sera_worker_stage_seconds_count {stage}"] > 0
    } == STAGES
    assert changes["sera_worker_inference_image_seconds_count"] == 1
    assert (
        REGISTRY.get_sample_value(
            "sera_worker_model_info", {"model": "small/1", "digest": digest}
        )
        == 1
    )


def read_metrics():
    samples = [
        sample
        for family in REGISTRY.collect()
        for sample in family.samples
        if "le" not in sample.labels
    ]
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for sample in samples
    }


def test_reclaimed_leases_of_a_dead_worker_are_counted(service, send, promote, ledger):
    promote(0)
    send()
    with ledger.system_session("w2") as session:
        session.queue.claim(
            "w2", max_jobs=1, lease=timedelta(minutes=1), max_attempts=5
        )
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET lease_until = now() - interval '1 second'"
        )
    earlier = REGISTRY.get_sample_value("sera_leases_expired_total")
    service.work()
    assert REGISTRY.get_sample_value("sera_leases_expired_total") == earlier + 1


def test_logs_name_request_job_case_and_hospital_and_nothing_of_the_patient(
    north, service, promote, log_lines
):
    promote(0)
    good = north.post("/v1/cases", **patient_form()).json()
    even = np.full((128, 128), 90, np.uint8)
    bad = north.post("/v1/cases", **patient_form(encode(even))).json()
    unreadable = north.post("/v1/cases", **patient_form(png(1)[:400]))
    assert unreadable.status_code == 422
    for invalid_field in (
        {"size_mm": NAME},
        {"roi": NAME},
        {"priority": NAME},
        {"external_id": NAME * 100},
    ):
        response = north.post("/v1/cases", **form(**invalid_field))
        assert response.status_code == 422
    north.post(
        f"/v1/{NUMBER}?name={NAME}",
        content=NAME,
        headers={"Authorization": f"Bearer {NAME}"},
    )
    north.post("/v1/session", json={"name": NAME, "password": NUMBER})
    service.work()
    lines = log_lines()
    events = {line["event"] for line in lines}
    assert events >= {
        "case.accepted",
        "request.answered",
        "batch.written",
        "case.worked",
    }
    assert {(line["service"], line["worker"]) for line in lines} == {("test", "w1")}
    (accepted,) = [
        line
        for line in lines
        if line["event"] == "case.accepted" and line["case"] == good["case_id"]
    ]
    assert accepted.keys() >= {"request_id", "job", "hospital"}
    worked = {
        line["job"]: (line["outcome"], line.get("reason"))
        for line in lines
        if line["event"] == "case.worked"
    }
    assert worked == {
        good["job_id"]: ("done", None),
        bad["job_id"]: ("failed", "image-blank"),
    }
    for line in lines:
        line_text = json.dumps(line).lower()
        assert TELLTALE not in line_text
        assert str(SIZE) not in line_text
