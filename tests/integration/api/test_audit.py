import base64
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from services.api.audit import service
from services.api.audit.read_audit import ReadAudit
from services.worker.audit_sealing import Sealer
from shared.domain.audit.events import Event
from shared.domain.audit.export import AuditExport
from shared.domain.audit.verification import verify
from shared.domain.roles import Role
from shared.ledger.audit import verification as ledger_verification
from shared.ledger.hospitals.repository import Caller
from shared.security.audit_signing import is_signed, seal_key
from tests.support.app import create_app
from tests.support.builders import form, png, result
from tests.support.statement_counter import count_statements

DIGEST = "d" * 64
LEASE = timedelta(minutes=1)
SECRETS = ("Jane-Doe", "MRN-4711")


@pytest.fixture
def done(north, ledger):
    """A case with its result."""
    receipt = north.post("/v1/cases", **form(external_id=SECRETS[0])).json()
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, LEASE, 5)
    with ledger.system_session("w") as session:
        session.queue.finish(lease.token, DIGEST, {lease.jobs[0].id: result(risk=0.4)})
    return receipt


@pytest.fixture
def trail(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    return lambda: admin.get("/v1/audit?limit=1000").json()


def reads(trail):
    return [
        (event["event"], event["job_id"])
        for event in trail()
        if event["event"].endswith(".read")
    ]


def test_repeated_polls_record_one_read_of_a_result_for_each_key(
    north, as_role, done, trail
):
    job = done["job_id"]
    for _ in range(3):
        assert north.get(f"/v1/jobs/{job}").json()["result"]["risk"] == 0.4
    north.get("/v1/jobs")
    assert reads(trail) == [(Event.RESULT_READ, job)]
    as_role(Role.READER).get("/v1/jobs")
    assert reads(trail) == [(Event.RESULT_READ, job)] * 2


def test_a_poll_without_a_result_records_no_read(north, trail):
    job = north.post("/v1/cases", **form()).json()["job_id"]
    north.get(f"/v1/jobs/{job}")
    assert reads(trail) == []


def test_reads_of_a_case_and_of_its_explanation_are_audited(
    north, ledger, gateway, done, trail
):
    north.get(done["links"]["case"])
    north.get(done["links"]["case"])
    assert north.get(done["links"]["explanation"]).status_code == 202
    assert reads(trail) == [(Event.CASE_READ, None)]
    with ledger.system_session("w") as session:
        claim = session.explanation_queue.claim_next()
        stored = gateway.app.state.dependencies.objects.put(png())
        session.explanation_queue.finish(claim, stored.sha256, None)
    assert north.get(done["links"]["explanation"]).status_code == 200
    assert reads(trail) == [
        (Event.CASE_READ, None),
        (Event.EXPLANATION_READ, done["job_id"]),
    ]


def test_the_cache_of_recorded_reads_is_bounded_and_falls_back_to_the_ledger(
    ledger, done
):
    with ledger.system_session("test") as session:
        north = session.hospitals.find("north").id
        key = session.api_keys.create(Role.READER, north, "test").key
    caller = Caller(key.id, Role.READER, north)
    subjects = [(uuid4(), uuid4()) for _ in range(3)]
    read_audit = ReadAudit(max_remembered=2)
    reads_from_ledger = []
    for subject in (*subjects, subjects[2], subjects[0]):
        with (
            count_statements(ledger.engine) as count,
            ledger.hospital_session(north, caller.actor) as session,
        ):
            read_audit.record_reads(session, caller, Event.RESULT_READ, [subject])
        reads_from_ledger.append(
            any("FROM audit_events" in statement for statement in count.statements)
        )
    assert reads_from_ledger == [True, True, True, False, True]
    with ledger.hospital_session(north, caller.actor) as session:
        events = [event.event for event in session.audit.page()]
    assert events.count(Event.RESULT_READ) == 3


def test_events_contain_the_client_address_behind_a_trusted_proxy(
    settings, make_key, trail
):
    proxied = settings.model_copy(update={"trusted_proxies": "10.0.0.0/8"})
    headers = {
        "Authorization": f"Bearer {make_key()}",
        "X-Forwarded-For": "192.0.2.1, 198.51.100.7",
    }
    with TestClient(create_app(proxied), client=("10.0.0.5", 4711)) as proxy:
        assert proxy.post("/v1/cases", headers=headers, **form()).status_code == 202
    origins = {entry["event"]: entry["origin"] for entry in trail()}
    assert origins[Event.CASE_ACCEPTED] == "198.51.100.7"


def test_events_of_services_have_no_origin(done, trail):
    origins = {entry["event"]: entry["origin"] for entry in trail()}
    assert origins[Event.JOB_DONE] is None


def test_an_export_can_be_verified_from_the_file_alone(as_role, done, tmp_path):
    answer = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit/export")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    file = tmp_path / "trail.jsonl"
    file.write_text(answer.text)
    exported = AuditExport(file)
    assert exported.is_complete()
    findings = verify(exported.links(), exported.seals(), is_signed)
    assert findings.is_intact
    assert len(findings.event_counts) == 1
    assert json.loads(answer.text.splitlines()[-2])["event"] == Event.AUDIT_EXPORTED


def test_a_hospital_exports_its_own_trail_only_and_an_auditor_every_trail(
    as_role, done, make_key, ledger
):
    make_key(hospital="south")
    with ledger.system_session("test") as session:
        south = session.hospitals.find("south").id
    admin = as_role(Role.HOSPITAL_ADMIN)
    auditor = as_role(Role.AUDITOR)
    unknown, foreign = (
        admin.get(f"/v1/audit/export?hospital={hospital}")
        for hospital in (uuid4(), south)
    )
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    assert str(south) not in admin.get("/v1/audit/export").text
    assert auditor.get(f"/v1/audit/export?hospital={uuid4()}").status_code == 404
    assert f'"of": "{south}"' in auditor.get(f"/v1/audit/export?hospital={south}").text
    assert '"chain": "house"' in auditor.get("/v1/audit/export").text
    assert as_role(Role.SUBMITTER).get("/v1/audit/export").status_code == 403


def test_the_trail_contains_no_patient_data(north, as_role, done):
    outcome = {
        "malignant": True,
        "source": "histology",
        "patient": SECRETS[1],
        "consent": True,
    }
    assert (
        north.post(f"/v1/cases/{done['case_id']}/outcome", json=outcome).status_code
        == 201
    )
    north.get(done["links"]["case"])
    text = as_role(Role.AUDITOR).get("/v1/audit/export").text
    assert "outcome.recorded" in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_the_trail_can_be_filtered_and_paged_from_the_newest_event(
    as_role, done, north, ledger
):
    auditor = as_role(Role.AUDITOR)

    def find_events(**filters):
        return [
            event["event"]
            for event in auditor.get(
                "/v1/audit", params={"newest": True, **filters}
            ).json()
        ]

    assert (
        find_events(event="job.done")
        == find_events(case=done["case_id"], limit=1)
        == ["job.done"]
    )
    assert find_events(actor="w") == ["job.done", "job.claimed"]
    assert (
        find_events(hospital="north", until="2020-01-01T00:00:00Z")
        == find_events(since="2100-01-01T00:00:00Z")
        == []
    )
    all_events = auditor.get("/v1/audit?newest=true").json()
    assert [event["id"] for event in all_events] == sorted(
        (event["id"] for event in all_events), reverse=True
    )
    rest = auditor.get(f"/v1/audit?newest=true&before={all_events[1]['id']}").json()
    assert rest == all_events[2:]


@pytest.fixture
def sealed(settings, ledger, done):
    Sealer(ledger, lambda: seal_key(settings)).seal()
    with ledger.system_session("test") as session:
        return str(session.hospitals.find("north").id)


def test_the_gateway_verifies_the_trail_and_counts_the_sealed_events(
    as_role, sealed, settings
):
    auditor = as_role(Role.AUDITOR)
    body = auditor.get("/v1/audit/verify").json()
    assert (body["whole"], body["wrong"], body["next"], body["trusted"]) == (
        True,
        [],
        None,
        True,
    )
    assert body["keys"] == [seal_key(settings).public]
    chains_by_hospital = {chain["hospital"]: chain for chain in body["chains"]}
    assert chains_by_hospital["north"]["chain"] == sealed
    assert (
        chains_by_hospital["north"]["sealed"]
        == chains_by_hospital["north"]["number"]
        == chains_by_hospital["north"]["events"]
        > 3
    )
    assert all(chain["ended"] for chain in body["chains"])


def test_a_tampered_event_is_reported_to_its_hospital_and_to_auditors_only(
    as_role, sealed, ledger
):
    admin, other_admin, auditor = (
        as_role(*item)
        for item in (
            (Role.HOSPITAL_ADMIN,),
            (Role.HOSPITAL_ADMIN, "south"),
            (Role.AUDITOR,),
        )
    )
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"UPDATE audit_events SET actor = 'x' WHERE number = 2 AND chain = '{sealed}'"
        )
    for client in (admin, auditor):
        body = client.get("/v1/audit/verify").json()
        assert (body["whole"], body["found"]) == (False, 1)
        assert body["wrong"][0]["sentence"].startswith(
            f"Event 2 of chain {sealed} was changed"
        )
        body = auditor.get("/v1/audit/verify", headers={"Accept-Language": "ko"}).json()
        assert body["wrong"][0]["sentence"].startswith(
            f"사슬 {sealed}의 이벤트 2: 변경되었습니다."
        )
    assert other_admin.get("/v1/audit/verify").json()["whole"]
    assert sealed not in other_admin.get("/v1/audit/verify").text


def test_verification_continues_from_the_cursor_of_the_previous_answer(
    as_role, sealed, monkeypatch
):
    monkeypatch.setattr(ledger_verification, "PAGE_EVENTS", 2)
    monkeypatch.setattr(service, "PROOF_MAX_EVENTS", 2)
    auditor = as_role(Role.AUDITOR)
    cursor = None
    answers = []
    while not answers or cursor:
        answers.append(
            auditor.get(
                "/v1/audit/verify", params={"cursor": cursor} if cursor else {}
            ).json()
        )
        cursor = answers[-1]["next"]
    assert len(answers) > 2
    chains = [
        chain
        for answer in answers
        for chain in answer["chains"]
        if chain["chain"] == sealed
    ]
    assert sum(chain["events"] for chain in chains) == chains[-1]["number"]
    assert all(answer["whole"] for answer in answers)


def test_an_invalid_cursor_and_one_of_another_chain_are_refused(as_role, sealed):
    south = as_role(Role.HOSPITAL_ADMIN, "south")
    foreign = base64.urlsafe_b64encode(json.dumps([sealed, 1, 0]).encode()).decode()
    for cursor in (
        foreign,
        "x",
        "e30=",
        base64.urlsafe_b64encode(b'["house", -1, 0]').decode(),
    ):
        answer = south.get("/v1/audit/verify", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor-invalid"), (
            cursor
        )
