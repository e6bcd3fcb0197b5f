"""Erasure of a case over HTTP: permissions, and what remains afterwards."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from cli.output.audit_findings import OutsideSeals, verify_file, verify_ledger
from services.worker.audit_sealing import Sealer
from services.worker.retention import RetentionSweeper
from shared.cases.accept import CaseAcceptance
from shared.cases.intake import ImageIntake
from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.tables import Table
from shared.objects import ObjectMissing
from shared.security.audit_signing import seal_key
from tests.support.builders import form, png, result

KEY = {"Idempotency-Key": "mrn-5521-first"}
DESCRIPTORS = json.dumps({**DESCRIPTORS_EXAMPLE, "margin": "extrathyroidal"})
FIELDS = {
    "external_id": "MRN-5521",
    "size_mm": 17.4321,
    "roi": json.dumps({"box": [31, 32, 63, 64]}),
}
FIELDS |= {"descriptors": DESCRIPTORS, "source": "photo"}
TRACES = (
    "MRN-5521",
    "mrn-5521-first",
    "17.4321",
    "31.0, 32.0, 63.0",
    "0.1357",
    "extrathyroidal",
    "photo",
)
GROUND = "patient-request"


@pytest.fixture
def admin(as_role):
    return as_role(Role.HOSPITAL_ADMIN)


@pytest.fixture
def answered(north, ledger):
    """A case with its result and outcome."""
    receipt = north.post("/v1/cases", headers=KEY, **form(png(5), **FIELDS)).json()
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(
            lease.token, "d" * 64, {lease.jobs[0].id: result(risk=0.1357)}
        )
    outcome = {
        "malignant": True,
        "source": "histology",
        "patient": "P-5521",
        "consent": True,
    }
    assert (
        north.post(f"{receipt['links']['case']}/outcome", json=outcome).status_code
        == 201
    )
    assert north.get(receipt["links"]["explanation"]).status_code == 202
    return receipt


@pytest.fixture
def sweep(ledger, gateway):
    return RetentionSweeper(ledger, gateway.app.state.dependencies.objects, None).sweep


def table_rows(ledger):
    with ledger.engine.connect() as connection:
        for table in Table.metadata.sorted_tables:
            for row in connection.scalars(text(f"SELECT t::text FROM {table.name} t")):
                yield table.name, row


def traces(ledger):
    return {
        secret for _, row in table_rows(ledger) for secret in TRACES if secret in row
    }


def erase(client, receipt, ground=GROUND):
    return client.delete(receipt["links"]["case"], params={"ground": ground})


def test_every_route_of_an_erased_case_gets_410(north, admin, as_role, answered):
    erasure = erase(admin, answered)
    assert (erasure.status_code, erasure.json()["ground"]) == (200, GROUND)
    links = answered["links"]
    answers = [
        north.get(links[name]) for name in ("case", "job", "events", "explanation")
    ]
    answers.append(
        north.post(
            f"{links['case']}/outcome", json={"malignant": True, "source": "histology"}
        )
    )
    answers.append(north.post(f"{links['job']}/cancel"))
    answers.append(north.get(f"{links['job']}?wait=5"))
    for response in answers:
        assert (
            response.status_code,
            response.json()["code"],
            response.json()["retryable"],
        ) == (
            410,
            "case-erased",
            False,
        )
        assert GROUND in response.json()["detail"]
    assert north.get("/v1/jobs").json()["jobs"] == []
    south = as_role(Role.HOSPITAL_ADMIN, "south")
    foreign = [
        south.get(links[name]).status_code
        for name in ("case", "job", "events", "explanation")
    ]
    assert [*foreign, erase(south, answered).status_code] == [404] * 5
    assert erase(admin, answered, "sent-by-mistake").json() == erasure.json()


def test_a_repeated_request_of_an_erased_case_gets_410(north, admin, answered):
    erase(admin, answered)
    for body in (FIELDS, FIELDS | {"size_mm": 3}):
        answer = north.post("/v1/cases", headers=KEY, **form(png(5), **body))
        assert (answer.status_code, answer.json()["code"]) == (410, "case-erased")
    assert north.post("/v1/cases", **form(png(5), **FIELDS)).status_code == 202


def test_no_trace_of_an_erased_case_remains_in_tables_or_the_store(
    north, admin, answered, ledger, gateway, sweep
):
    objects = gateway.app.state.dependencies.objects
    sha256 = north.get(answered["links"]["case"]).json()["image"]["sha256"]
    assert traces(ledger) == set(TRACES)
    erase(admin, answered)
    sweep()
    assert traces(ledger) == set()
    with pytest.raises(ObjectMissing):
        objects.get(sha256)
    assert list(objects._keys.keys("objects/")) == []
    names = {name for name, row in table_rows(ledger) if sha256 in row}
    assert names == {"cases", "audit_events", "orphans"}


def test_another_hospitals_case_of_the_same_image_stays_readable(
    north, admin, as_role, answered, gateway, sweep
):
    south = as_role(Role.SUBMITTER, "south")
    receipt = south.post("/v1/cases", **form(png(5))).json()
    erase(admin, answered)
    sweep()
    sha256 = south.get(receipt["links"]["case"]).json()["image"]["sha256"]
    assert gateway.app.state.dependencies.objects.get(sha256) == png(5)
    erase(as_role(Role.HOSPITAL_ADMIN, "south"), receipt)
    sweep()
    assert not gateway.app.state.dependencies.objects.exists(sha256)


def test_a_removed_image_is_stored_again_when_it_is_submitted_again(
    north, admin, answered, gateway, sweep
):
    erase(admin, answered)
    sweep()
    receipt = north.post("/v1/cases", **form(png(5))).json()
    sha256 = north.get(receipt["links"]["case"]).json()["image"]["sha256"]
    sweep()
    assert gateway.app.state.dependencies.objects.get(sha256) == png(5)


class SweptAfterPut:
    """The real store with a sweep directly after the first stored object."""

    def __init__(self, objects, sweep):
        self._objects = objects
        self._sweep = sweep

    def __getattr__(self, name):
        return getattr(self._objects, name)

    def put(self, source, **options):
        stored = self._objects.put(source, **options)
        sweep = self._sweep
        self._sweep = lambda: None
        sweep()
        return stored


def test_an_image_swept_between_upload_and_case_is_stored_again(
    north, admin, answered, gateway, sweep
):
    app = gateway.app
    dependencies = app.state.dependencies
    objects = dependencies.objects
    erase(admin, answered)
    acceptance = CaseAcceptance(
        intake=ImageIntake(
            SweptAfterPut(objects, sweep),
            dependencies.deidentifier,
            dependencies.decoder_pool,
        ),
        kept_previews=dependencies.kept_previews,
        admission=dependencies.acceptance.admission,
        notifier=dependencies.notifier,
        max_upload_bytes=dependencies.settings.max_upload_bytes,
    )
    app.state.dependencies = replace(dependencies, acceptance=acceptance)
    receipt = north.post("/v1/cases", **form(png(5))).json()
    sha256 = north.get(receipt["links"]["case"]).json()["image"]["sha256"]
    assert objects.get(sha256) == png(5)


def test_a_labelled_image_swept_during_its_upload_gets_a_retryable_error(
    as_role, admin, answered, gateway, sweep
):
    app = gateway.app
    operator = as_role(Role.OPERATOR)
    operator.post("/v1/datasets", json={"name": "set"})
    erase(admin, answered)
    objects = app.state.dependencies.objects
    app.state.dependencies = replace(
        app.state.dependencies, objects=SweptAfterPut(objects, sweep)
    )
    upload = {
        "data": {"malignant": "true"},
        "files": {"image": ("a.png", png(5), "image/png")},
    }
    first, repeat = (
        operator.post("/v1/datasets/set/images", **upload) for _ in range(2)
    )
    assert (first.status_code, first.json()["code"], first.json()["retryable"]) == (
        503,
        "erased-meanwhile",
        True,
    )
    assert repeat.status_code < 300
    sweep()
    assert objects.get(repeat.json()["image_sha256"]) == png(5)


def test_only_the_hospitals_administrator_erases_and_must_give_a_ground(
    north, admin, as_role, answered
):
    for role in (Role.SUBMITTER, Role.READER, Role.OPERATOR, Role.AUDITOR):
        assert erase(as_role(role), answered).status_code == 403
    assert erase(as_role(Role.HOSPITAL_ADMIN, "south"), answered).status_code == 404
    for ground in ({}, {"ground": "no reason"}):
        assert admin.delete(answered["links"]["case"], params=ground).status_code == 422
    assert north.get(answered["links"]["case"]).status_code == 200


def test_the_trail_and_its_export_stay_intact_after_erasures(
    north, admin, answered, ledger, settings, sweep, tmp_path
):
    def seal():
        Sealer(ledger, lambda: seal_key(settings)).seal()

    seal()
    earlier = verify_ledger(settings, (), OutsideSeals())
    erase(admin, answered)
    sweep()
    seal()
    live = verify_ledger(settings, (), OutsideSeals())
    file = tmp_path / "north.jsonl"
    with ledger.system_session("test") as session:
        hospital = session.hospitals.find("north").id
    file.write_text("".join(AuditTrailReader(ledger, "test", hospital).export_lines()))
    exported = verify_file(file, [seal_key(settings).public], OutsideSeals(), settings)
    assert (earlier.is_intact, live.is_intact, exported.is_intact) == (
        True,
        True,
        True,
    )
    assert (
        live.event_counts[str(hospital)]
        == exported.event_counts[str(hospital)]
        == earlier.event_counts[str(hospital)] + 1
    )
    assert live.sealed_numbers == live.event_counts
    last_event = [
        event
        for event in admin.get("/v1/audit?limit=1000").json()
        if event["case_id"] == answered["case_id"]
    ][-1]
    assert (last_event["event"], last_event["details"]["ground"]) == (
        Event.CASE_ERASED,
        GROUND,
    )
    assert not any(secret in file.read_text() for secret in TRACES)


def test_metrics_count_due_cases_and_orphaned_objects(gateway, admin, answered, ledger):
    admin.patch("/v1/hospital", json={"retention_days": 30})
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
    metrics = gateway.get("/metrics").text
    assert "sera_retention_due_cases 1.0" in metrics
    assert "sera_retention_overdue_cases 1.0" in metrics
    assert "sera_orphaned_objects 0.0" in metrics


def test_a_dry_run_counts_due_cases_and_changes_nothing(
    admin, as_role, answered, ledger
):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
    for days, due_cases in ((30, 1), (50, 0)):
        body = admin.patch(
            "/v1/hospital?dry_run=true", json={"retention_days": days}
        ).json()
        assert (body["in_use"]["retention_days"], body["due"]) == (days, due_cases)
    operator_view = (
        as_role(Role.OPERATOR)
        .patch("/v1/hospitals/north?dry_run=true", json={"retention_days": 30})
        .json()
    )
    assert operator_view["due"] == 1
    body = admin.get("/v1/hospital").json()
    assert (body["retention_days"], body["in_use"]["retention_days"], body["due"]) == (
        None,
        None,
        0,
    )
    assert admin.patch("/v1/hospital", json={"retention_days": 30}).json()["due"] == 1
    assert as_role(Role.OPERATOR).get("/v1/hospitals").json()[0]["due"] == 1
    assert (
        admin.patch("/v1/hospital", json={"retention_days": 0}).json()["code"]
        == "setting-outside-limits"
    )


def test_a_run_of_a_version_with_an_erased_image_is_refused(
    as_role, admin, answered, ledger
):
    operator = as_role(Role.OPERATOR)
    operator.post("/v1/datasets", json={"name": "set"})
    upload = {
        "data": {"malignant": "true"},
        "files": {"image": ("a.png", png(6), "image/png")},
    }
    assert operator.post("/v1/datasets/set/images", **upload).status_code == 201
    assert operator.post("/v1/datasets/set/outcomes", json={}).json()["added"] == 1
    assert operator.post("/v1/datasets/set/versions").status_code == 201
    erase(admin, answered)
    run = {"dataset": "set", "recipe": "light"}
    refused = operator.post("/v1/training-runs", json={**run, "version": 1})
    assert (refused.status_code, refused.json()["code"]) == (
        409,
        "version-holds-erased",
    )
    assert operator.post("/v1/training-runs", json=run).status_code == 202
