"""A case is erased over HTTP; what is left of it, and who may."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from cli.output.audit_findings import verify_file, verify_ledger
from services.worker.audit_sealing import Sealer
from services.worker.retention import RetentionSweeper
from shared.cases.accept import CaseAcceptance
from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.tables import Table
from shared.objects import ObjectMissing
from shared.security.audit_signing import seal_key
from tests.support.builders import form, png, result

KEY = {"Idempotency-Key": "mrn-5521-first"}
PLACES = json.dumps({**DESCRIPTORS_EXAMPLE, "margin": "extrathyroidal"})
SENT = {
    "external_id": "MRN-5521",
    "size_mm": 17.4321,
    "roi": json.dumps({"box": [31, 32, 63, 64]}),
}
SENT |= {"descriptors": PLACES, "source": "photo"}
TRACES = (
    "MRN-5521",
    "mrn-5521-first",
    "17.4321",
    "31.0, 32.0, 63.0",
    "0.1357",
    "extrathyroidal",
    "photo",
)
WHY = "patient-request"


@pytest.fixture
def admin(as_role):
    return as_role(Role.HOSPITAL_ADMIN)


@pytest.fixture
def answered(north, ledger):
    """A case with its result and outcome."""
    receipt = north.post("/v1/cases", headers=KEY, **form(png(5), **SENT)).json()
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


def rows(ledger):
    with ledger.engine.connect() as connection:
        for table in Table.metadata.sorted_tables:
            for row in connection.scalars(text(f"SELECT t::text FROM {table.name} t")):
                yield table.name, row


def traces(ledger):
    return {secret for _, row in rows(ledger) for secret in TRACES if secret in row}


def erase(client, receipt, ground=WHY):
    return client.delete(receipt["links"]["case"], params={"ground": ground})


def test_an_erased_case_is_gone_for_every_question_and_leaves_a_tombstone(
    north, admin, as_role, answered
):
    answer = erase(admin, answered)
    assert (answer.status_code, answer.json()["ground"]) == (200, WHY)
    links = answered["links"]
    second_rows = [
        north.get(links[name]) for name in ("case", "job", "events", "explanation")
    ]
    second_rows.append(
        north.post(
            f"{links['case']}/outcome", json={"malignant": True, "source": "histology"}
        )
    )
    second_rows.append(north.post(f"{links['job']}/cancel"))
    second_rows.append(north.get(f"{links['job']}?wait=5"))
    for item in second_rows:
        assert (item.status_code, item.json()["code"], item.json()["retryable"]) == (
            410,
            "case-erased",
            False,
        )
        assert WHY in item.json()["detail"]
    assert north.get("/v1/jobs").json()["jobs"] == []
    south = as_role(Role.HOSPITAL_ADMIN, "south")
    foreign = [
        south.get(links[name]).status_code
        for name in ("case", "job", "events", "explanation")
    ]
    assert [*foreign, erase(south, answered).status_code] == [404] * 5
    assert erase(admin, answered, "sent-by-mistake").json() == answer.json()


def test_the_same_request_again_is_told_that_its_case_was_erased(
    north, admin, answered
):
    erase(admin, answered)
    for body in (SENT, SENT | {"size_mm": 3}):
        answer = north.post("/v1/cases", headers=KEY, **form(png(5), **body))
        assert (answer.status_code, answer.json()["code"]) == (410, "case-erased")
    assert north.post("/v1/cases", **form(png(5), **SENT)).status_code == 202


def test_nothing_of_it_remains_in_any_table_or_in_the_store(
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
    names = {name for name, row in rows(ledger) if sha256 in row}
    assert names == {"cases", "audit_events", "orphans"}


def test_another_hospitals_case_of_the_same_image_still_reads(
    north, admin, as_role, answered, gateway, sweep
):
    south = as_role(Role.SUBMITTER, "south")
    body = south.post("/v1/cases", **form(png(5))).json()
    erase(admin, answered)
    sweep()
    sha256 = south.get(body["links"]["case"]).json()["image"]["sha256"]
    assert gateway.app.state.dependencies.objects.get(sha256) == png(5)
    erase(as_role(Role.HOSPITAL_ADMIN, "south"), body)
    sweep()
    assert not gateway.app.state.dependencies.objects.exists(sha256)


def test_an_image_that_was_removed_is_stored_again_when_it_comes_again(
    north, admin, answered, gateway, sweep
):
    erase(admin, answered)
    sweep()
    body = north.post("/v1/cases", **form(png(5))).json()
    sha256 = north.get(body["links"]["case"]).json()["image"]["sha256"]
    sweep()
    assert gateway.app.state.dependencies.objects.get(sha256) == png(5)


class SweptAfterPut:
    """The real store, but that a sweep comes between the storing of an object and all that
    follows."""

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


def test_an_image_that_is_removed_between_its_upload_and_its_case_is_stored_again(
    north, admin, answered, gateway, sweep
):
    app = gateway.app
    dependencies = app.state.dependencies
    objects = dependencies.objects
    erase(admin, answered)
    acceptance = CaseAcceptance(
        objects=SweptAfterPut(objects, sweep),
        deidentifier=dependencies.deidentifier,
        admission=dependencies.acceptance.admission,
        notifier=dependencies.notifier,
        max_upload_bytes=dependencies.settings.max_upload_bytes,
    )
    app.state.dependencies = replace(dependencies, acceptance=acceptance)
    body = north.post("/v1/cases", **form(png(5))).json()
    sha256 = north.get(body["links"]["case"]).json()["image"]["sha256"]
    assert objects.get(sha256) == png(5)


def test_a_labelled_image_that_is_removed_while_it_is_offered_is_asked_for_again(
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
    sent = {
        "data": {"malignant": "true"},
        "files": {"image": ("a.png", png(5), "image/png")},
    }
    first, repeat = (operator.post("/v1/datasets/set/images", **sent) for _ in range(2))
    assert (first.status_code, first.json()["code"], first.json()["retryable"]) == (
        503,
        "erased-meanwhile",
        True,
    )
    assert repeat.status_code < 300
    sweep()
    assert objects.get(repeat.json()["image_sha256"]) == png(5)


def test_only_the_hospitals_own_administrator_erases_and_says_why(
    north, admin, as_role, answered
):
    for role in (Role.SUBMITTER, Role.READER, Role.OPERATOR, Role.AUDITOR):
        assert erase(as_role(role), answered).status_code == 403
    assert erase(as_role(Role.HOSPITAL_ADMIN, "south"), answered).status_code == 404
    for ground in ({}, {"ground": "no reason"}):
        assert admin.delete(answered["links"]["case"], params=ground).status_code == 422
    assert north.get(answered["links"]["case"]).status_code == 200


def test_the_trail_stays_whole_live_and_in_an_export_after_erasures(
    north, admin, answered, ledger, settings, sweep, tmp_path
):
    def seal():
        Sealer(ledger, lambda: seal_key(settings)).seal()

    seal()
    events_before = verify_ledger(settings, (), ())
    erase(admin, answered)
    sweep()
    seal()
    live = verify_ledger(settings, (), ())
    file = tmp_path / "north.jsonl"
    with ledger.system_session("test") as session:
        hospital = session.hospitals.find("north").id
    file.write_text("".join(AuditTrailReader(ledger, "test", hospital).export_lines()))
    exported = verify_file(file, [seal_key(settings).public], ())
    assert (events_before.is_intact, live.is_intact, exported.is_intact) == (
        True,
        True,
        True,
    )
    assert (
        live.event_counts[str(hospital)]
        == exported.event_counts[str(hospital)]
        == events_before.event_counts[str(hospital)] + 1
    )
    assert live.sealed_numbers == live.event_counts
    last = [
        item
        for item in admin.get("/v1/audit?limit=1000").json()
        if item["case_id"] == answered["case_id"]
    ][-1]
    assert (last["event"], last["details"]["ground"]) == (Event.CASE_ERASED, WHY)
    assert not any(secret in file.read_text() for secret in TRACES)


def test_metrics_tell_what_is_due_and_what_waits_to_be_removed(
    gateway, admin, answered, ledger
):
    admin.patch("/v1/hospital", json={"retention_days": 30})
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
    second_text = gateway.get("/metrics").text
    assert "sera_retention_due_cases 1.0" in second_text
    assert "sera_retention_overdue_cases 1.0" in second_text
    assert "sera_orphaned_objects 0.0" in second_text


def test_a_dry_run_says_how_many_would_go_and_changes_nothing(
    admin, as_role, answered, ledger
):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
    for days, due in ((30, 1), (50, 0)):
        body = admin.patch(
            "/v1/hospital?dry_run=true", json={"retention_days": days}
        ).json()
        assert (body["in_use"]["retention_days"], body["due"]) == (days, due)
    operators = (
        as_role(Role.OPERATOR)
        .patch("/v1/hospitals/north?dry_run=true", json={"retention_days": 30})
        .json()
    )
    assert operators["due"] == 1
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


def test_a_run_of_a_version_that_holds_an_erased_image_is_refused_and_a_new_version_is_not(
    as_role, admin, answered, ledger
):
    operator = as_role(Role.OPERATOR)
    operator.post("/v1/datasets", json={"name": "set"})
    sent = {
        "data": {"malignant": "true"},
        "files": {"image": ("a.png", png(6), "image/png")},
    }
    assert operator.post("/v1/datasets/set/images", **sent).status_code == 201
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
