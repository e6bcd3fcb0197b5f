"""Idempotency keys: every unsafe route has one effect when a request is repeated.

Requests are repeated one after another, simultaneously, and after a crash."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from services.api.middleware.idempotency import (
    HEADER,
    REPLAYED_HEADER,
    UNSAFE_METHODS,
    accepts_idempotency_key,
    sweep_receipts,
)
from shared.domain.jobs import Priority
from shared.domain.roles import Role
from shared.domain.training.states import Split
from shared.ledger import HospitalSession, SystemSession
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.hospitals.repository import HospitalUnknown
from tests.support.app import create_app
from tests.support.builders import CASE, form, png
from tests.support.routes import openapi_document, routes

A = "a" * 64
B = "b" * 64
C = "c" * 64
PROMOTION = {"json": {"reason": "it finds what the other misses"}}
BATCH = {
    "files": [
        ("manifest", ("m.csv", "image,malignant\nx.png,1\n")),
        ("files", ("x.png", png(5))),
    ]
}
BODIES = {
    "POST /v1/models/{model_id}/promote": PROMOTION,
    "POST /v1/datasets/{name}/batches": BATCH,
    "PUT /v1/datasets/{name}/images/{image_sha256}": {"json": {"site": "south"}},
    "POST /v1/training-runs": {"json": {"dataset": "set", "recipe": "light"}},
    "POST /v1/keys": {
        "json": {"role": "reader", "label": "dashboard", "hospital": "north"}
    },
    "POST /v1/people": {
        "json": {"name": "another.reader", "role": "reader", "hospital": "north"}
    },
    "PATCH /v1/people/{person_id}": {"json": {"role": "submitter"}},
}
"""Request bodies that have more effect than the examples of the OpenAPI document."""
SUBMITTER_ROUTES = (
    "POST /v1/cases",
    "POST /v1/cases/{case_id}/outcome",
    "POST /v1/jobs/{job_id}/cancel",
    "POST /v1/jobs/rerun",
)
PEOPLES_ROUTES = ("/v1/reader-studies", "/v1/cases/{case_id}/reader-level")
"""Only people can use these routes. test_reader_studies.py and test_reader_first.py repeat their
requests.
"""
ADMINISTRATOR_ROUTES = ("PATCH /v1/hospital", "DELETE /v1/cases/{case_id}")
SECRET_FIELDS = {
    "POST /v1/keys": ("key", "key_id"),
    "POST /v1/keys/{key_id}/rotate": ("key", "key_id"),
    "POST /v1/people": ("one_time_password", "person_id"),
    "POST /v1/people/{person_id}/reset": ("one_time_password", "person_id"),
}
"""Routes that show a secret once: the field of the secret, and the field with the ID in the problem
that a repeat gets."""
IGNORED_TABLES = ("receipts", "allowances", "secrets", "alembic_version")
DOCUMENT = openapi_document()
UNSAFE_ROUTES = [
    route
    for route in routes(DOCUMENT)
    if accepts_idempotency_key(route.path) and route.method in UNSAFE_METHODS
]


def new_key() -> dict[str, str]:
    return {HEADER: uuid4().hex}


def case_with_job(session: HospitalSession) -> tuple[UUID, UUID]:
    case_id = session.cases.add(CASE)
    return case_id, session.jobs.create(case_id, Priority.ROUTINE)


@pytest.fixture
def ids(ledger, as_role):
    """Path parameters of existing objects, by parameter; by route if it needs another object."""
    as_role()
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
        dataset = session.datasets.ensure("set")
        session.datasets.add(
            dataset, [LabelledImage(image, image == A, Split.TRAIN) for image in (A, B)]
        )
        version = session.versions.freeze(dataset).id
        queued, cancelled, finished = (
            session.runs.request(dataset, version, "light", seed) for seed in range(3)
        )
        session.runs.cancel(cancelled)
        for digest in (A, B, C):
            session.models.store(
                digest,
                name="light",
                recipe="light",
                run_id=finished if digest == C else None,
                synthetic=False,
                metrics={},
            )
        for digest in (A, C):
            session.models.promote(
                digest, "test", "so that there is something to go back to"
            )
        staff = {
            name: session.people.create(name, Role.READER, north, "hash").id
            for name in ("idle", "locked", "disabled")
        }
        session.people.disable(staff["disabled"])
        rotated, revoked = (
            session.api_keys.create(Role.READER, north, "old").key.id for _ in range(2)
        )
    with ledger.hospital_session(north, "test") as session:
        waiting, failed, erased, worker_lost = (
            case_with_job(session) for _ in range(4)
        )
    with ledger.system_session("test") as session:
        south = session.hospitals.ensure("south")
    with ledger.hospital_session(south, "test") as session:
        _, foreign_job = case_with_job(session)
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET state = 'failed' WHERE id = :id"), {"id": failed[1]}
        )
        for dead_job in (worker_lost[1], foreign_job):
            connection.execute(
                text(
                    "UPDATE jobs SET state = 'failed', reason = 'worker-lost' WHERE id = :id"
                ),
                {"id": dead_job},
            )
        connection.execute(text("UPDATE people SET failures = 3 WHERE name = 'locked'"))
        connection.execute(
            text("UPDATE training_runs SET state = 'done' WHERE id = :id"),
            {"id": finished},
        )
    ids_by_parameter = {
        "case_id": waiting[0],
        "job_id": waiting[1],
        "key_id": rotated,
        "run_id": queued,
        "model_id": C,
        "person_id": staff["idle"],
        "datasets/name": "set",
        "hospitals/name": "north",
        "image_sha256": A,
    }
    ids_by_route = {
        "POST /v1/jobs/{job_id}/rerun": {"job_id": failed[1]},
        "DELETE /v1/cases/{case_id}": {"case_id": erased[0]},
        "DELETE /v1/keys/{key_id}": {"key_id": revoked},
        "POST /v1/people/{person_id}/enable": {"person_id": staff["disabled"]},
        "POST /v1/people/{person_id}/unlock": {"person_id": staff["locked"]},
        "POST /v1/training-runs/{run_id}/resume": {"run_id": cancelled},
        "DELETE /v1/datasets/{name}/images/{image_sha256}": {"image_sha256": B},
        "POST /v1/models/{model_id}/promote": {"model_id": B},
    }
    return ids_by_parameter | ids_by_route


@pytest.fixture
def state(ledger):
    """Reads a hash of every table without receipts and counters.

    The time of a key's last use is left out, as it is written once a minute."""
    with ledger.engine.connect() as connection:
        hashes = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        tables = [
            table
            for table in connection.scalars(text(hashes))
            if table not in IGNORED_TABLES
        ]
    table_hash = (
        "SELECT coalesce(md5(string_agg(line, '|' ORDER BY line)), '') "
        "FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS line FROM {} t) lines"
    )
    hashes = text(
        f"SELECT {', '.join(f'({table_hash.format(table)})' for table in tables)}"
    )

    def read_hashes():
        with ledger.engine.connect() as connection:
            return dict(zip(tables, connection.execute(hashes).one(), strict=True))

    return read_hashes


def send_request(client, route, ids, headers, **query):
    content = BODIES.get(str(route)) or route.content()
    address = route.address(ids | ids.get(str(route), {}))
    return client.request(
        route.method, address, headers=headers, params=route.query() | query, **content
    )


def send_different_request(client, route, ids, headers):
    """Send another request to the same address. Only the fields of the form identify a case."""
    if str(route) == "POST /v1/cases":
        return client.post("/v1/cases", headers=headers, **form(size_mm=20))
    return send_request(client, route, ids, headers, another=1)


def test_every_unsafe_route_documents_an_idempotency_key():
    assert len(UNSAFE_ROUTES) > 20
    for route in UNSAFE_ROUTES:
        assert HEADER in route.named("header"), str(route)
    for route in routes(DOCUMENT):
        assert (HEADER in route.named("header")) is (route in UNSAFE_ROUTES), str(route)


def test_every_unsafe_route_replays_a_repeated_request(as_role, ids, state):
    clients = {
        role: as_role(role)
        for role in (Role.SUBMITTER, Role.HOSPITAL_ADMIN, Role.OPERATOR)
    }
    routes_without_change = set()
    for route in (
        route for route in UNSAFE_ROUTES if not route.path.startswith(PEOPLES_ROUTES)
    ):
        role = Role.SUBMITTER if str(route) in SUBMITTER_ROUTES else Role.OPERATOR
        client = clients[
            Role.HOSPITAL_ADMIN if str(route) in ADMINISTRATOR_ROUTES else role
        ]
        headers = new_key()
        hashes_before = state()
        first = send_request(client, route, ids, headers)
        assert first.is_success, f"{route}: {first.text}"
        hashes_after = state()
        repeat = send_request(client, route, ids, headers)
        assert state() == hashes_after, str(route)
        if str(route) in SECRET_FIELDS:
            secret_field, id_field = SECRET_FIELDS[str(route)]
            assert (
                repeat.status_code,
                repeat.json()["code"].endswith("-shown-once"),
            ) == (409, True)
            assert (
                repeat.json()[id_field],
                first.json()[secret_field] in repeat.text,
            ) == (
                first.json()["id"],
                False,
            )
        else:
            assert (repeat.status_code, repeat.text) == (
                first.status_code,
                first.text,
            ), str(route)
            assert repeat.headers.get("Location") == first.headers.get("Location")
        assert (
            first.headers.get(REPLAYED_HEADER),
            repeat.headers.get(REPLAYED_HEADER),
        ) == (
            None,
            "true",
        )
        different = send_different_request(client, route, ids, headers)
        assert (different.status_code, different.json().get("code")) == (
            409,
            "idempotency-key-reused",
        ), str(route)
        assert state() == hashes_after, str(route)
        routes_without_change |= (
            {str(route)} if hashes_before == hashes_after else set()
        )
    assert routes_without_change == {
        "POST /v1/datasets/{name}/known",
        "POST /v1/datasets/{name}/outcomes",
    }


def test_another_body_under_the_same_key_is_refused_and_the_order_of_json_keys_does_not_matter(
    as_role,
):
    admin = as_role(Role.HOSPITAL_ADMIN)
    headers = new_key()
    body = {"prevalence": 0.2, "refer_alpha": 0.1}
    admin.patch("/v1/hospital", json=body, headers=headers)
    assert (
        admin.patch(
            "/v1/hospital", json=dict(reversed(body.items())), headers=headers
        ).status_code
        == 200
    )
    assert (
        admin.patch(
            "/v1/hospital", json=body | {"prevalence": 0.3}, headers=headers
        ).status_code
        == 409
    )
    assert admin.get("/v1/hospital").json()["prevalence"] == 0.2


def test_a_refused_request_is_not_stored_and_may_be_sent_again(as_role, ids, state):
    operator = as_role(Role.OPERATOR)
    headers = new_key()
    operator.get("/v1/models")  # notes the use of its API key
    hashes_before = state()
    refused = operator.post(f"/v1/models/{B}/promote", json={}, headers=headers)
    assert (refused.status_code, state()) == (409, hashes_before)
    assert operator.post(
        f"/v1/models/{B}/promote", headers=headers, **PROMOTION
    ).json()["live"]


def test_a_stored_answer_is_not_replayed_to_a_role_without_permission(as_role):
    headers = new_key()
    body = {"json": {"prevalence": 0.2}}
    assert (
        as_role(Role.HOSPITAL_ADMIN)
        .patch("/v1/hospital", headers=headers, **body)
        .status_code
        == 200
    )
    assert (
        as_role(Role.READER).patch("/v1/hospital", headers=headers, **body).status_code
        == 403
    )


def test_an_answer_to_one_person_is_not_replayed_to_another(as_person):
    headers = new_key()
    first, second = as_person(Role.HOSPITAL_ADMIN), as_person(Role.HOSPITAL_ADMIN)
    body = {"json": {"prevalence": 0.2}}
    assert first.patch("/v1/hospital", headers=headers, **body).status_code == 200
    again = first.patch("/v1/hospital", headers=headers, **body)
    assert again.headers["Idempotent-Replayed"] == "true"
    answer = second.patch("/v1/hospital", headers=headers, **body)
    assert (answer.status_code, answer.json()["code"]) == (
        409,
        "idempotency-key-reused",
    )


def test_an_invalid_key_is_refused(north):
    for key_text in ("", "x" * 201, "a\tb"):
        answer = north.post("/v1/cases", headers={HEADER: key_text}, **form())
        assert (answer.status_code, answer.json()["code"]) == (
            422,
            "idempotency-key-unusable",
        )


def test_eight_simultaneous_requests_with_one_key_start_one_run(as_role, ids, state):
    operator = as_role(Role.OPERATOR)
    headers = new_key()
    body = {"dataset": "set", "recipe": "light"}
    runs_before = len(operator.get("/v1/training-runs").json())
    start = threading.Barrier(8)

    def request_run(_):
        start.wait()
        return operator.post("/v1/training-runs", json=body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(request_run, range(8)))
    assert {(answer.status_code, answer.json()["run_id"]) for answer in answers} == {
        (202, answers[0].json()["run_id"])
    }
    assert (
        sorted(REPLAYED_HEADER in answer.headers for answer in answers)
        == [False] + [True] * 7
    )
    assert len(operator.get("/v1/training-runs").json()) == runs_before + 1


CRASH = """
    CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
    CREATE TRIGGER crash BEFORE UPDATE ON receipts FOR EACH ROW EXECUTE FUNCTION crash();
"""


@pytest.mark.parametrize(
    "route", ["POST /v1/training-runs", "POST /v1/cases", "POST /v1/keys"]
)
def test_a_crash_before_the_commit_leaves_no_change_and_the_repeat_succeeds(
    as_role, ids, state, ledger, route
):
    client = as_role(Role.SUBMITTER if route in SUBMITTER_ROUTES else Role.OPERATOR)
    headers = new_key()
    route = next(candidate for candidate in UNSAFE_ROUTES if str(candidate) == route)
    client.get("/v1/keys")  # notes the use of its API key
    hashes_before = state()
    with ledger.engine.begin() as connection:
        connection.execute(text(CRASH))
    failed = send_request(client, route, ids, headers)
    assert (
        failed.status_code,
        failed.json()["code"],
        failed.json()["retryable"],
    ) == (
        503,
        "unavailable",
        True,
    )
    assert state() == hashes_before
    with ledger.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER crash ON receipts"))
    assert send_request(client, route, ids, headers).is_success
    hashes_after = state()
    send_request(client, route, ids, headers)
    assert state() == hashes_after != hashes_before


def test_a_repeat_during_the_first_request_gets_a_retryable_409(
    settings, make_key, ledger
):
    impatient = settings.model_copy(update={"same_key_wait_s": 0.1})
    headers = {"Authorization": f"Bearer {make_key(Role.HOSPITAL_ADMIN)}", HEADER: "k"}
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
    with (
        ledger.hospital_session(north, "first") as session,
        TestClient(create_app(impatient), headers=headers) as client,
    ):
        assert session.receipts.reserve("k", "the first request")
        answer = client.patch("/v1/hospital", json={"prevalence": 0.2})
        assert (answer.status_code, answer.json()["code"]) == (
            409,
            "idempotency-key-in-use",
        )
        assert (answer.json()["retryable"], answer.headers["Retry-After"]) == (
            True,
            "1",
        )


def test_workers_are_notified_when_the_job_is_already_visible(
    as_role, gateway, ledger, monkeypatch
):
    """The notifier asks the ledger for the job as another transaction sees it."""
    visible_jobs = []

    class Notifier:
        def notify(self, task, subject):
            with ledger.engine.connect() as connection:
                visible_jobs.append(
                    connection.scalar(
                        text("SELECT count(*) FROM jobs WHERE id = :id"),
                        {"id": subject},
                    )
                )

    monkeypatch.setattr(
        gateway.app.state.dependencies.acceptance, "_notifier", Notifier()
    )
    north = as_role()
    for headers in ({}, new_key()):
        assert north.post("/v1/cases", headers=headers, **form()).status_code == 202
    assert visible_jobs == [1, 1]


def test_a_stored_answer_contains_no_secret(as_role, ledger):
    created = (
        as_role(Role.HOSPITAL_ADMIN)
        .post("/v1/keys", json={"role": "reader", "label": "x"}, headers=new_key())
        .json()
    )
    with ledger.engine.connect() as connection:
        stored_bodies = (
            connection.execute(text("SELECT convert_from(body, 'UTF8') FROM receipts"))
            .scalars()
            .all()
        )
    assert len(stored_bodies) == 1
    assert (
        created["id"] in stored_bodies[0],
        created["key"].split("_", 2)[2] in stored_bodies[0],
    ) == (
        True,
        False,
    )


def test_an_expired_receipt_is_swept_and_its_key_is_free_again(as_role, ledger):
    north = as_role()
    headers = new_key()
    first = north.post("/v1/cases", headers=headers, **form()).json()
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE receipts SET created_at = created_at - interval '8 days'")
        )
    assert (
        north.post("/v1/cases", headers=headers, **form()).json()["duplicate_of"]
        == first["case_id"]
    )
    assert [sweep_receipts(ledger, timedelta(days=days)) for days in (7, 0)] == [0, 1]


def test_a_receipt_refers_to_its_case_so_that_both_are_erased(as_role, ledger):
    north = as_role()
    case = north.post("/v1/cases", headers=new_key(), **form()).json()["case_id"]
    fields = {"malignant": True, "source": "histology"}
    north.post(f"/v1/cases/{case}/outcome", json=fields, headers=new_key())
    with ledger.engine.connect() as connection:
        assert (
            connection.execute(text("SELECT case_id FROM receipts")).scalars().all()
            == [UUID(case)] * 2
        )


def test_a_transaction_switches_to_the_role_of_the_session_in_use(ledger):
    """One transaction, two sessions: each use takes the role on, whichever the last one was."""
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
    transaction = ledger.transaction()
    hospital = HospitalSession(transaction, north, "test")
    system = SystemSession(transaction, "test")
    role = text("SELECT current_user, current_setting('sera.hospital', true)")
    assert hospital.cases.find(uuid4()) is None
    assert system.hospitals.find("north")
    assert transaction.session.execute(role).one()[0] == "sera_house"
    assert hospital.cases.find(uuid4()) is None
    assert transaction.session.execute(role).one() == ("sera_hospital", str(north))
    system.hospitals.ensure("south")
    transaction.rollback()
    with ledger.system_session("test") as session, pytest.raises(HospitalUnknown):
        session.hospitals.find("south")


def test_commit_callbacks_run_once_and_not_after_a_rollback(ledger):
    calls = []
    transaction = ledger.transaction()
    transaction.on_commit(lambda: calls.append("undone"))
    transaction.rollback()
    transaction.on_commit(lambda: calls.append("done"))
    transaction.commit()
    transaction.commit()
    assert calls == ["done"]
