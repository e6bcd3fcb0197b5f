"""Every route of the OpenAPI, called by those whom it is not for."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.engine import make_url

from shared.domain.roles import HOSPITAL_ROLES, PERMISSIONS, Permission, Role
from shared.domain.training.states import Split
from shared.ledger import Ledger
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.hospitals.api_keys import ApiKeys
from shared.ledger.jobs.dead_letters import DeadLetters
from shared.ledger.monitoring.observations import Observations
from shared.ledger.monitoring.wallboard import Wallboard
from shared.ledger.people.repository import People
from shared.ledger.scope import HospitalRepository
from shared.settings import Settings
from tests.integration.api.conftest import key_of, with_key
from tests.support.app import create_app
from tests.support.builders import form, png, result
from tests.support.fixtures import fresh_database
from tests.support.routes import openapi_document, routes

DIGEST = "d" * 64
IMAGE = "a" * 64
ABSENT_HASH = "e" * 64
RECEIPT = {"Idempotency-Key": "north-1"}
NEEDS = {
    r"GET /v1/(cases|jobs)\b.*": Permission.READ,
    r"POST /v1/(cases|previews)\b.*": Permission.SUBMIT,
    r"DELETE /v1/cases/{case_id}": Permission.ADMINISTER,
    r"POST /v1/jobs/{job_id}/cancel": Permission.SUBMIT,
    r"POST /v1/jobs/{job_id}/rerun": Permission.RERUN,
    r"POST /v1/jobs/rerun": Permission.SUBMIT,
    r"GET /v1/hospital": Permission.READ,
    r"PATCH /v1/hospital": Permission.ADMINISTER,
    r"\w+ /v1/hospitals\b.*": Permission.OPERATE,
    r"\w+ /v1/queue\b.*": Permission.OPERATE,
    r"\w+ /v1/keys\b.*": Permission.MANAGE_KEYS,
    r"\w+ /v1/people\b.*": Permission.MANAGE_PEOPLE,
    r"\w+ /v1/session\b.*": None,
    r"GET /v1/audit\b.*": Permission.AUDIT,
    r"(POST /v1/reader-studies(/{study_id}/(open|close))?|GET "
    r".*/(analysis|readings.csv))": Permission.ADMINISTER,
    r"\w+ /v1/reader-studies\b.*": Permission.READ,
    r"GET /v1/monitoring/.*": Permission.MONITOR,
    r"GET /v1/wall": None,
    r"GET /v1/models/{model_id}/card(\.html)?": None,
    r"\w+ "
    r"/v1/(datasets|recipes|training-runs|models|promotions|workers|shadow)\b.*": Permission.OPERATE,
}
"""The leave that a route asks for, the first that matches; None: any key or session will do."""
WITHOUT_HOME = (
    Permission.OPERATE,
    Permission.RERUN,
    Permission.AUDIT,
    Permission.MONITOR,
    Permission.MANAGE_KEYS,
    Permission.MANAGE_PEOPLE,
)
"""What may be done by those who belong to no hospital."""
ALL = [route for route in routes(openapi_document()) if route.path.startswith("/v1/")]


@dataclass(frozen=True)
class North:
    """A hospital with something behind every id, and words that nobody else may read."""

    ids: dict[str, object]
    hospital: str
    cursor: str
    words: frozenset[str]


@pytest.fixture(scope="module")
def created(engines, migrated, tmp_path_factory) -> Iterator[tuple[str, Path, North]]:
    """A database and a folder of objects in which the north has its data, both to be copied."""
    home = tmp_path_factory.mktemp("north")
    with fresh_database(engines, migrated) as url:
        settings = Settings(
            home=home,
            database_url=url,
            broker_url=engines.broker_url,
            objects_url=(home / "objects").as_uri(),
        )
        with (
            closing(Ledger(url)) as ledger,
            TestClient(create_app(settings)) as gateway,
        ):

            def as_role(role: Role = Role.SUBMITTER) -> TestClient:
                return with_key(gateway, key_of(ledger, role, "north"))

            north = _north_data(as_role, ledger)
        yield make_url(url).database, home / "objects", north


@pytest.fixture
def database_url(created, engines) -> Iterator[str]:
    """A copy for each test, which may change it."""
    template, _, _ = created
    with fresh_database(engines, template) as url:
        yield url


@pytest.fixture
def north_data(created, tmp_path) -> North:
    _, objects, north = created
    shutil.copytree(objects, tmp_path / "objects", dirs_exist_ok=True)
    return north


def _north_data(as_role: Callable[..., TestClient], ledger: Ledger) -> North:
    submitter = as_role()
    operator = as_role(Role.OPERATOR)
    sent = form(png(7), external_id="north-only-7")
    first = submitter.post("/v1/cases", headers=RECEIPT, **sent).json()
    last = submitter.post("/v1/cases", **form(png(8))).json()
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(
            lease.token, DIGEST, {lease.jobs[0].id: result(risk=0.123456)}
        )
        session.models.store(
            DIGEST, "light", "light", None, False, {}, card={"model": {}}
        )
        session.datasets.add(
            session.datasets.ensure("set"), [LabelledImage(IMAGE, True, Split.TRAIN)]
        )
    submitter.post(
        f"/v1/cases/{first['case_id']}/outcome",
        json={"malignant": True, "source": "cytology"},
    )
    assert (
        submitter.get(f"/v1/cases/{first['case_id']}/explanation.png").status_code
        == 202
    )
    key = (
        as_role(Role.HOSPITAL_ADMIN)
        .post("/v1/keys", json={"role": "reader", "label": "north-only"})
        .json()
    )
    person = (
        as_role(Role.HOSPITAL_ADMIN)
        .post("/v1/people", json={"name": "north-reader", "role": "reader"})
        .json()
    )
    run = operator.post(
        "/v1/training-runs", json={"dataset": "set", "recipe": "light"}
    ).json()["run_id"]
    cursor = submitter.get("/v1/jobs?limit=1").json()["next_cursor"]
    image = submitter.get(f"/v1/cases/{first['case_id']}").json()["image"]["sha256"]
    hospital = str(_hospital(ledger))
    house_ids = {
        "run_id": run,
        "model_id": DIGEST,
        "datasets/name": "set",
        "image_sha256": IMAGE,
        "number": 1,
    }
    ids = {
        "case_id": first["case_id"],
        "job_id": last["job_id"],
        "key_id": key["id"],
        "hospitals/name": "north",
    }
    reading = {"pick": {"by": "newest", "count": 1}, "readers": [person["id"]]}
    admin = as_role(Role.HOSPITAL_ADMIN)
    study = admin.post(
        "/v1/reader-studies",
        json={"name": "north-only-study", "question": "?", **reading},
    ).json()
    ids |= {"person_id": person["id"], "study_id": study["study_id"]}
    names = {
        study["study_id"],
        study["name"],
        first["case_id"],
        first["job_id"],
        last["case_id"],
        last["job_id"],
        key["id"],
        person["id"],
        hospital,
        image,
    }
    return North(
        ids | house_ids,
        hospital,
        cursor,
        frozenset(names | {"north", "north-only-7", "north-reader", "0.123456"}),
    )


@pytest.fixture
def nobody() -> dict[str, object]:
    """Ids behind which there is nothing, of the same form."""
    ids = {
        "case_id": uuid4(),
        "job_id": uuid4(),
        "run_id": uuid4(),
        "key_id": "0" * 12,
        "number": 999,
    }
    ids |= {"person_id": uuid4(), "study_id": uuid4()}
    names = {
        "model_id": "light-not",
        "datasets/name": "nothing",
        "hospitals/name": "nowhere",
    }
    return ids | names | {"image_sha256": ABSENT_HASH}


def _hospital(ledger):
    with ledger.system_session("test") as session:
        return session.hospitals.find("north").id


def permission(route) -> Permission | None:
    for pattern, act in NEEDS.items():
        if re.fullmatch(pattern, str(route)):
            return act
    raise AssertionError(f"{route} is new: say in NEEDS whom it is for.")


def may(role: Role, route) -> bool:
    act = permission(route)
    return act is None or (
        act in PERMISSIONS[role] and (role in HOSPITAL_ROLES or act in WITHOUT_HOME)
    )


def call(client, route, ids, headers=None, **query):
    content = route.content()
    asked = route.query() | query
    if str(route) == "POST /v1/people":  # a name is taken once
        content["json"]["name"] = uuid4().hex
    return client.request(
        route.method, route.address(ids), headers=headers, params=asked, **content
    )


def answer_text(answer, ids) -> tuple[int, str]:
    """Status and body without the ids that were asked for."""
    body = answer.text
    for value in ids.values():
        body = body.replace(str(value), "ID") if len(str(value)) > 3 else body
    return answer.status_code, body


def test_the_walk_knows_every_route_and_every_parameter(nobody):
    assert len(ALL) > 50
    for route in ALL:
        permission(route)
        assert "{" not in route.address(nobody)


@pytest.fixture
def wall(request, monkeypatch) -> None:
    """What keeps hospitals apart: both, or the database alone."""
    if request.param == "row-level security alone":
        monkeypatch.setattr(
            HospitalRepository,
            "_restrict_to_hospital",
            lambda self, query, table: query,
        )
        monkeypatch.setattr(ApiKeys, "_restrict_to_hospital", lambda self, query: query)
        monkeypatch.setattr(
            DeadLetters, "_restrict_to_hospital", lambda self, query: query
        )
        monkeypatch.setattr(People, "_restrict_to_hospital", lambda self, query: query)
        monkeypatch.setattr(
            Observations,
            "_restrict_to_hospital",
            lambda self, query, window, column: query,
        )
        monkeypatch.setattr(
            Wallboard, "_restrict_to_hospital", lambda self, query, column: query
        )


@pytest.fixture(params=["key", "session"])
def credential(request, as_role, as_person):
    """The gateway as seen by a role of a hospital, with a key or as a person who signed in."""
    return {"key": as_role, "session": as_person}[request.param]


BOTH_WALLS = "scope of the code"
ONE_WALL = "row-level security alone"
WALKS = [
    (BOTH_WALLS, "session"),
    (ONE_WALL, "key"),
    pytest.param(BOTH_WALLS, "key", marks=pytest.mark.long),
    pytest.param(ONE_WALL, "session", marks=pytest.mark.long),
]
"""In the short form each wall and each kind of credential is walked with every role, but not all of
their pairs."""


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize(("wall", "credential"), WALKS, indirect=True)
@pytest.mark.parametrize("role", sorted(HOSPITAL_ROLES))
def test_another_hospital_learns_nothing_from_any_route_not_even_that_something_exists(
    credential, as_role, north_data, nobody, role
):
    south = credential(role, "south")
    owner = as_role()
    admin = as_role(Role.HOSPITAL_ADMIN)
    count_before = _seen(owner, admin, north_data)
    for route in ALL:
        if str(route) == "DELETE /v1/session":
            continue  # of nobody but oneself
        if route.path.endswith(("/card", "/card.html")):
            continue  # of a model of the house, for every key
        their_text = (
            RECEIPT
            if str(route) == "POST /v1/cases"
            else {"Idempotency-Key": uuid4().hex}
        )
        foreign = call(south, route, north_data.ids, their_text)
        absent = call(south, route, nobody, {"Idempotency-Key": uuid4().hex})
        assert foreign.status_code == absent.status_code, str(route)
        if route.named("path"):
            assert answer_text(foreign, north_data.ids) == answer_text(
                absent, nobody
            ), str(route)
            assert foreign.status_code in (403, 404), str(route)
        _holds_nothing_of(north_data, foreign, route)
        assert foreign.status_code != 422, f"{route}: {foreign.text}"
        assert foreign.status_code < 500, str(route)
    assert _seen(owner, admin, north_data) == count_before


@pytest.mark.parametrize("role", sorted(HOSPITAL_ROLES))
def test_a_question_that_names_another_hospital_is_answered_as_one_that_names_none(
    as_role, north_data, nobody, role
):
    south = as_role(role, "south")
    for route in ALL:
        if "hospital" in route.named("query"):
            by_id = north_data.hospital, str(uuid4())
            names = (
                by_id
                if route.path.endswith("/audit/export")
                else ("north", *by_id, "nowhere")
            )
            named = [call(south, route, nobody, hospital=name) for name in names]
            assert len({answer_text(answer, {}) for answer in named}) == 1, str(route)
            assert named[0].status_code in (403, 404), str(route)
        if "cursor" in route.named("query"):
            _holds_nothing_of(
                north_data, call(south, route, nobody, cursor=north_data.cursor), route
            )


@pytest.mark.parametrize("role", Role)
def test_a_role_that_may_not_is_refused_at_its_own_hospital_too(
    credential, north_data, nobody, role
):
    client = credential(role)
    shut = [route for route in ALL if not may(role, route)]
    assert shut
    for route in shut:
        for ids in (north_data.ids, nobody):
            answer = call(client, route, ids)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (
                str(route)
            )


def test_without_a_key_or_a_session_every_route_is_shut(gateway, north_data):
    for route in ALL:
        status = (
            404 if route.path.startswith("/v1/session/oidc") else 401
        )  # there is no provider
        assert call(gateway, route, north_data.ids).status_code == status, str(route)


def _holds_nothing_of(north: North, answer, route) -> None:
    if answer.is_success:
        found = [secret for secret in north.words if secret in answer.text]
        assert found == [], f"{route} shows {found}"


def _seen(owner, admin, north: North) -> list[str]:
    """What the north has, by its own keys."""
    case = north.ids["case_id"]
    job = north.ids["job_id"]
    paths = (f"/v1/cases/{case}", f"/v1/jobs/{job}", "/v1/jobs", "/v1/hospital")
    rows = [
        re.sub(r'"(eta_s|position)":([\d.]+|null)', "", owner.get(path).text)
        for path in paths
    ]  # the queue moves
    keys = [{**key, "last_used_at": None} for key in admin.get("/v1/keys").json()]
    return [*rows, str(keys), admin.get("/v1/people").text]
