"""Every route that changes something, sent twice, eight times at once, and over a crash: it is done
once."""

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
REASON = {"json": {"reason": "it finds what the other misses"}}
BATCH = {
    "files": [
        ("manifest", ("m.csv", "image,malignant\nx.png,1\n")),
        ("files", ("x.png", png(5))),
    ]
}
OTHER_BODIES = {
    "POST /v1/models/{model_id}/promote": REASON,
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
"""Bodies that do more than the document's own example."""
SUBMITTERS = (
    "POST /v1/cases",
    "POST /v1/cases/{case_id}/outcome",
    "POST /v1/jobs/{job_id}/cancel",
    "POST /v1/jobs/rerun",
)
BY_PEOPLE = "/v1/reader-studies"
"""What only people who sit in a study may do; its own tests are of that."""
ADMINISTRATORS = ("PATCH /v1/hospital", "DELETE /v1/cases/{case_id}")
NOT_TWICE = {
    "POST /v1/keys": ("key", "key_id"),
    "POST /v1/keys/{key_id}/rotate": ("key", "key_id"),
    "POST /v1/people": ("one_time_password", "person_id"),
    "POST /v1/people/{person_id}/reset": ("one_time_password", "person_id"),
}
"""What shows a secret, and shows it once: where the secret is, and by what the repeat names whose
it was."""
LEFT_OUT = ("receipts", "allowances", "secrets", "alembic_version")
DOCUMENT = openapi_document()
WRITES = [
    route
    for route in routes(DOCUMENT)
    if accepts_idempotency_key(route.path) and route.method in UNSAFE_METHODS
]


def key(key_text: str | None = None) -> dict[str, str]:
    return {HEADER: key_text or uuid4().hex}


@pytest.fixture
def ids(ledger, as_role):
    """Something that every route can be done to, by the parameters' names, and by the route where
    one is not enough."""
    as_role()
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
        dataset = session.datasets.ensure("set")
        session.datasets.add(
            dataset, [LabelledImage(image, image == A, Split.TRAIN) for image in (A, B)]
        )
        version = session.versions.freeze(dataset).id
        queued, ended, judged = (
            session.runs.request(dataset, version, "light", seed) for seed in range(3)
        )
        session.runs.cancel(ended)
        for digest in (A, B, C):
            session.models.store(
                digest, "light", "light", judged if digest == C else None, False, {}
            )
        for digest in (A, C):
            session.models.promote(
                digest, "test", "so that there is something to go back to"
            )
        staff = {
            key_text: session.people.create(key_text, Role.READER, north, "hash").id
            for key_text in ("idle", "locked", "gone")
        }
        session.people.disable(staff["gone"])
        rotated, revoked = (
            session.api_keys.create(Role.READER, north, "old").key.id for _ in range(2)
        )
    with ledger.hospital_session(north, "test") as session:
        values = (
            (
                case := session.cases.add(CASE),
                session.jobs.create(case, Priority.ROUTINE),
            )
            for _ in range(4)
        )
        waiting, failed, erased, lost_connection = values
    with ledger.system_session("test") as session:
        south = session.hospitals.ensure("south")
    with ledger.hospital_session(south, "test") as session:
        other_hospital = session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET state = 'failed' WHERE id = :id"), {"id": failed[1]}
        )
        for dead in (lost_connection[1], other_hospital):
            connection.execute(
                text(
                    "UPDATE jobs SET state = 'failed', reason = 'worker-lost' WHERE id = :id"
                ),
                {"id": dead},
            )
        connection.execute(text("UPDATE people SET failures = 3 WHERE name = 'locked'"))
        connection.execute(
            text("UPDATE training_runs SET state = 'done' WHERE id = :id"),
            {"id": judged},
        )
    plain = {
        "case_id": waiting[0],
        "job_id": waiting[1],
        "key_id": rotated,
        "run_id": queued,
        "model_id": C,
    }
    plain |= {"person_id": staff["idle"]}
    names = {"datasets/name": "set", "hospitals/name": "north", "image_sha256": A}
    return (
        plain
        | names
        | {
            "POST /v1/jobs/{job_id}/rerun": {"job_id": failed[1]},
            "DELETE /v1/cases/{case_id}": {"case_id": erased[0]},
            "DELETE /v1/keys/{key_id}": {"key_id": revoked},
            "POST /v1/people/{person_id}/enable": {"person_id": staff["gone"]},
            "POST /v1/people/{person_id}/unlock": {"person_id": staff["locked"]},
            "POST /v1/training-runs/{run_id}/resume": {"run_id": ended},
            "DELETE /v1/datasets/{name}/images/{image_sha256}": {"image_sha256": B},
            "POST /v1/models/{model_id}/promote": {"model_id": B},
        }
    )


@pytest.fixture
def state(ledger):
    """A word for all that the database holds but receipts, and when a key was last used: once a
    minute that is noted."""
    with ledger.engine.connect() as connection:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        tables = [
            table for table in connection.scalars(text(named)) if table not in LEFT_OUT
        ]
    each = (
        "SELECT coalesce(md5(string_agg(line, '|' ORDER BY line)), '') "
        "FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS line FROM {} t) lines"
    )
    query = text(f"SELECT {', '.join(f'({each.format(table)})' for table in tables)}")

    def is_stored():
        with ledger.engine.connect() as connection:
            return dict(zip(tables, connection.execute(query).one(), strict=True))

    return is_stored


def asks(client, route, ids, headers, **query):
    content = OTHER_BODIES.get(str(route)) or route.content()
    address = route.address(ids | ids.get(str(route), {}))
    return client.request(
        route.method, address, headers=headers, params=route.query() | query, **content
    )


def unlike(client, route, ids, headers):
    """Another request to the same address; a case is known by its content alone, however it is
    asked for."""
    if str(route) == "POST /v1/cases":
        return client.post("/v1/cases", headers=headers, **form(size_mm=20))
    return asks(client, route, ids, headers, another=1)


def test_every_route_that_changes_something_takes_a_key_and_says_so():
    assert len(WRITES) > 20
    for route in WRITES:
        assert HEADER in route.named("header"), str(route)
    for route in routes(DOCUMENT):
        assert (HEADER in route.named("header")) is (route in WRITES), str(route)


def test_the_same_request_twice_is_done_once_and_answered_alike_on_every_route(
    as_role, ids, state
):
    clients = {
        role: as_role(role)
        for role in (Role.SUBMITTER, Role.HOSPITAL_ADMIN, Role.OPERATOR)
    }
    idle = set()
    for route in (write for write in WRITES if not write.path.startswith(BY_PEOPLE)):
        role = Role.SUBMITTER if str(route) in SUBMITTERS else Role.OPERATOR
        client = clients[Role.HOSPITAL_ADMIN if str(route) in ADMINISTRATORS else role]
        sent = key()
        count_before = state()
        first = asks(client, route, ids, sent)
        assert first.is_success, f"{route}: {first.text}"
        count_after = state()
        repeat = asks(client, route, ids, sent)
        assert state() == count_after, str(route)
        if str(route) in NOT_TWICE:
            secret, owner = NOT_TWICE[str(route)]
            assert (
                repeat.status_code,
                repeat.json()["code"].endswith("-shown-once"),
            ) == (409, True)
            assert (repeat.json()[owner], first.json()[secret] in repeat.text) == (
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
        other_answer = unlike(client, route, ids, sent)
        assert (other_answer.status_code, other_answer.json().get("code")) == (
            409,
            "idempotency-key-reused",
        ), str(route)
        assert state() == count_after, str(route)
        idle |= {str(route)} if count_before == count_after else set()
    assert idle == {
        "POST /v1/datasets/{name}/known",
        "POST /v1/datasets/{name}/outcomes",
    }


def test_another_body_under_the_same_key_is_refused_and_the_order_of_words_is_no_other_body(
    as_role,
):
    admin = as_role(Role.HOSPITAL_ADMIN)
    sent = key()
    body = {"prevalence": 0.2, "refer_alpha": 0.1}
    admin.patch("/v1/hospital", json=body, headers=sent)
    assert (
        admin.patch(
            "/v1/hospital", json=dict(reversed(body.items())), headers=sent
        ).status_code
        == 200
    )
    assert (
        admin.patch(
            "/v1/hospital", json=body | {"prevalence": 0.3}, headers=sent
        ).status_code
        == 409
    )
    assert admin.get("/v1/hospital").json()["prevalence"] == 0.2


def test_what_was_refused_is_not_kept_and_may_be_sent_again(as_role, ids, state):
    operator = as_role(Role.OPERATOR)
    sent = key()
    operator.get("/v1/models")  # notes the use of its API key
    count_before = state()
    refused = operator.post(f"/v1/models/{B}/promote", json={}, headers=sent)
    assert (refused.status_code, state()) == (409, count_before)
    assert operator.post(f"/v1/models/{B}/promote", headers=sent, **REASON).json()[
        "live"
    ]


def test_a_role_that_may_not_is_given_no_answer_of_one_that_may(as_role):
    sent = key()
    body = {"json": {"prevalence": 0.2}}
    assert (
        as_role(Role.HOSPITAL_ADMIN)
        .patch("/v1/hospital", headers=sent, **body)
        .status_code
        == 200
    )
    assert (
        as_role(Role.READER).patch("/v1/hospital", headers=sent, **body).status_code
        == 403
    )


def test_a_key_that_is_none_is_refused(north):
    for key_text in ("", "x" * 201, "a\tb"):
        answer = north.post("/v1/cases", headers={HEADER: key_text}, **form())
        assert (answer.status_code, answer.json()["code"]) == (
            422,
            "idempotency-key-unusable",
        )


def test_eight_at_once_with_one_key_are_one_run_and_eight_equal_answers(
    as_role, ids, state
):
    operator = as_role(Role.OPERATOR)
    sent = key()
    body = {"dataset": "set", "recipe": "light"}
    count_before = len(operator.get("/v1/training-runs").json())
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return operator.post("/v1/training-runs", json=body, headers=sent)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {(answer.status_code, answer.json()["run_id"]) for answer in answers} == {
        (202, answers[0].json()["run_id"])
    }
    assert (
        sorted(REPLAYED_HEADER in answer.headers for answer in answers)
        == [False] + [True] * 7
    )
    assert len(operator.get("/v1/training-runs").json()) == count_before + 1


CRASH = """
    CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
    CREATE TRIGGER crash BEFORE UPDATE ON receipts FOR EACH ROW EXECUTE FUNCTION crash();
"""


@pytest.mark.parametrize(
    "route", ["POST /v1/training-runs", "POST /v1/cases", "POST /v1/keys"]
)
def test_a_crash_between_the_write_and_its_commit_leaves_nothing_and_the_repeat_does_it(
    as_role, ids, state, ledger, route
):
    client = as_role(Role.SUBMITTER if route in SUBMITTERS else Role.OPERATOR)
    sent = key()
    route = next(write for write in WRITES if str(write) == route)
    client.get("/v1/keys")  # notes the use of its API key
    count_before = state()
    with ledger.engine.begin() as connection:
        connection.execute(text(CRASH))
    lost_connection = asks(client, route, ids, sent)
    assert (
        lost_connection.status_code,
        lost_connection.json()["code"],
        lost_connection.json()["retryable"],
    ) == (
        503,
        "unavailable",
        True,
    )
    assert state() == count_before
    with ledger.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER crash ON receipts"))
    assert asks(client, route, ids, sent).is_success
    run_once = state()
    asks(client, route, ids, sent)
    assert state() == run_once != count_before


def test_a_repeat_while_the_first_is_under_way_is_told_to_come_again(
    settings, make_key, ledger
):
    hurried = settings.model_copy(update={"same_key_wait_s": 0.1})
    headers = {"Authorization": f"Bearer {make_key(Role.HOSPITAL_ADMIN)}", HEADER: "k"}
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
    with (
        ledger.hospital_session(north, "first") as session,
        TestClient(create_app(hurried), headers=headers) as client,
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
    rows = []

    class Notifier:
        def notify(self, task, subject):
            with ledger.engine.connect() as connection:
                rows.append(
                    connection.scalar(
                        text("SELECT count(*) FROM jobs WHERE id = :id"),
                        {"id": subject},
                    )
                )

    monkeypatch.setattr(
        gateway.app.state.dependencies.acceptance, "_notifier", Notifier()
    )
    north = as_role()
    for headers in ({}, key()):
        assert north.post("/v1/cases", headers=headers, **form()).status_code == 202
    assert rows == [1, 1]


def test_what_is_kept_of_an_answer_that_shows_a_secret_holds_none(as_role, ledger):
    new = (
        as_role(Role.HOSPITAL_ADMIN)
        .post("/v1/keys", json={"role": "reader", "label": "x"}, headers=key())
        .json()
    )
    with ledger.engine.connect() as connection:
        stored_text = (
            connection.execute(text("SELECT convert_from(body, 'UTF8') FROM receipts"))
            .scalars()
            .all()
        )
    assert len(stored_text) == 1
    assert (
        new["id"] in stored_text[0],
        new["key"].split("_", 2)[2] in stored_text[0],
    ) == (
        True,
        False,
    )


def test_a_receipt_that_was_kept_long_enough_is_swept_and_its_key_is_new_again(
    as_role, ledger
):
    north = as_role()
    sent = key()
    first = north.post("/v1/cases", headers=sent, **form()).json()
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE receipts SET created_at = created_at - interval '8 days'")
        )
    assert (
        north.post("/v1/cases", headers=sent, **form()).json()["duplicate_of"]
        == first["case_id"]
    )
    assert [sweep_receipts(ledger, timedelta(days=days)) for days in (7, 0)] == [0, 1]


def test_a_receipt_knows_its_case_so_that_both_can_be_forgotten(as_role, ledger):
    north = as_role()
    case = north.post("/v1/cases", headers=key(), **form()).json()["case_id"]
    fields = {"malignant": True, "source": "histology"}
    north.post(f"/v1/cases/{case}/outcome", json=fields, headers=key())
    with ledger.engine.connect() as connection:
        assert (
            connection.execute(text("SELECT case_id FROM receipts")).scalars().all()
            == [UUID(case)] * 2
        )


def test_a_transaction_has_the_role_of_the_session_that_is_used_in_it(ledger):
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


def test_what_follows_a_commit_is_done_once_and_not_after_an_undone_one(ledger):
    done = []
    transaction = ledger.transaction()
    transaction.on_commit(lambda: done.append("undone"))
    transaction.rollback()
    transaction.on_commit(lambda: done.append("done"))
    transaction.commit()
    transaction.commit()
    assert done == ["done"]
