"""Every route of the OpenAPI document, called without permission and by other hospitals."""

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
from httpx2 import Response
from sqlalchemy.engine import make_url

from services.api.web.router import PAGES
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
NORTH_KEY = {"Idempotency-Key": "north-1"}
PERMISSION_BY_ROUTE = {
    r"GET /v1/(cases|jobs)\b.*": Permission.READ,
    r"GET /v1/previews\b.*": Permission.SUBMIT,
    r"POST /v1/cases/{case_id}/reader-level": Permission.READ,
    r"POST /v1/(cases|previews|case-tables)\b.*": Permission.SUBMIT,
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
    r"\w+ /v1/(datasets|manifests|recipes|training-runs|models|promotions)\b.*": Permission.OPERATE,
    r"\w+ /v1/(workers|shadow)\b.*": Permission.OPERATE,
}
"""The permission that a route needs: the first match. None: any key or session is enough."""
SYSTEM_PERMISSIONS = (
    Permission.OPERATE,
    Permission.RERUN,
    Permission.AUDIT,
    Permission.MONITOR,
    Permission.MANAGE_KEYS,
    Permission.MANAGE_PEOPLE,
)
"""Permissions that roles without a hospital can use."""
ROUTES = [
    route for route in routes(openapi_document()) if route.path.startswith("/v1/")
]


@dataclass(frozen=True)
class North:
    """A hospital with an object for every ID, and texts that no other hospital may see."""

    ids: dict[str, object]
    hospital: str
    cursor: str
    secrets: frozenset[str]


@pytest.fixture(scope="module")
def created(engines, migrated, tmp_path_factory) -> Iterator[tuple[str, Path, North]]:
    """A template database and a folder of objects with the data of the hospital `north`."""
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

            north = _create_north_data(as_role, ledger)
        yield make_url(url).database, home / "objects", north


@pytest.fixture
def database_url(created, engines) -> Iterator[str]:
    """A copy of the template for each test."""
    template, _, _ = created
    with fresh_database(engines, template) as url:
        yield url


@pytest.fixture
def north_data(created, tmp_path) -> North:
    _, objects, north = created
    shutil.copytree(objects, tmp_path / "objects", dirs_exist_ok=True)
    return north


def _create_north_data(as_role: Callable[..., TestClient], ledger: Ledger) -> North:
    submitter = as_role()
    operator = as_role(Role.OPERATOR)
    submission = form(png(7), external_id="north-only-7")
    first = submitter.post("/v1/cases", headers=NORTH_KEY, **submission).json()
    latest = submitter.post("/v1/cases", **form(png(8))).json()
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(
            lease.token, DIGEST, {lease.jobs[0].id: result(risk=0.123456)}
        )
        session.models.store(
            DIGEST,
            name="light",
            recipe="light",
            run_id=None,
            synthetic=False,
            metrics={},
            card={"model": {}},
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
    preview = submitter.post(
        "/v1/previews", data={"keep": True}, files={"image": png(7)}
    ).json()
    cursor = submitter.get("/v1/jobs?limit=1").json()["next_cursor"]
    image = submitter.get(f"/v1/cases/{first['case_id']}").json()["image"]["sha256"]
    hospital = str(_hospital(ledger))
    system_ids = {
        "run_id": run,
        "model_id": DIGEST,
        "datasets/name": "set",
        "image_sha256": IMAGE,
        "number": 1,
    }
    ids = {
        "case_id": first["case_id"],
        "job_id": latest["job_id"],
        "key_id": key["id"],
        "preview_id": preview["id"],
        "hospitals/name": "north",
    }
    selection = {"pick": {"by": "newest", "count": 1}, "readers": [person["id"]]}
    admin = as_role(Role.HOSPITAL_ADMIN)
    study = admin.post(
        "/v1/reader-studies",
        json={"name": "north-only-study", "question": "?", **selection},
    ).json()
    ids |= {"person_id": person["id"], "study_id": study["study_id"]}
    secrets = {
        study["study_id"],
        study["name"],
        first["case_id"],
        first["job_id"],
        latest["case_id"],
        latest["job_id"],
        key["id"],
        preview["id"],
        person["id"],
        hospital,
        image,
    }
    secrets |= {"north", "north-only-7", "north-reader", "0.123456"}
    return North(
        ids=ids | system_ids,
        hospital=hospital,
        cursor=cursor,
        secrets=frozenset(secrets),
    )


@pytest.fixture
def missing_ids() -> dict[str, object]:
    """IDs of the right form without an object."""
    ids = {
        "case_id": uuid4(),
        "job_id": uuid4(),
        "run_id": uuid4(),
        "key_id": "0" * 12,
        "preview_id": uuid4(),
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


def permission_of(route) -> Permission | None:
    for pattern, permission in PERMISSION_BY_ROUTE.items():
        if re.fullmatch(pattern, str(route)):
            return permission
    raise AssertionError(f"{route} is new: add its permission to PERMISSION_BY_ROUTE.")


def is_permitted(role: Role, route) -> bool:
    permission = permission_of(route)
    return permission is None or (
        permission in PERMISSIONS[role]
        and (role in HOSPITAL_ROLES or permission in SYSTEM_PERMISSIONS)
    )


def call(client, route, ids, headers=None, **query):
    content = route.content()
    query_parameters = route.query() | query
    if str(route) == "POST /v1/people":  # names are unique
        content["json"]["name"] = uuid4().hex
    return client.request(
        route.method,
        route.address(ids),
        headers=headers,
        params=query_parameters,
        **content,
    )


def answer_text(answer, ids) -> tuple[int, str]:
    """Return status and body without the requested IDs."""
    body = answer.text
    for value in ids.values():
        body = body.replace(str(value), "ID") if len(str(value)) > 3 else body
    return answer.status_code, body


def test_every_route_has_a_known_permission_and_known_parameters(missing_ids):
    assert len(ROUTES) > 50
    for route in ROUTES:
        permission_of(route)
        assert "{" not in route.address(missing_ids)


@pytest.fixture
def isolation(request, monkeypatch) -> None:
    """The isolation of hospitals: by code and database, or by row-level security alone."""
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
    """Creates a client of a role and a hospital with an API key or a session."""
    return {"key": as_role, "session": as_person}[request.param]


CODE_AND_DATABASE = "scope of the code"
DATABASE_ONLY = "row-level security alone"
COMBINATIONS = [
    (CODE_AND_DATABASE, "session"),
    (DATABASE_ONLY, "key"),
    pytest.param(CODE_AND_DATABASE, "key", marks=pytest.mark.long),
    pytest.param(DATABASE_ONLY, "session", marks=pytest.mark.long),
]
"""The short form tests each isolation and each credential with every role, but not all pairs."""


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(("isolation", "credential"), COMBINATIONS, indirect=True)
@pytest.mark.parametrize("role", sorted(HOSPITAL_ROLES))
def test_another_hospital_cannot_tell_existing_from_missing_data_on_any_route(
    credential, as_role, north_data, missing_ids, role
):
    south = credential(role, "south")
    owner = as_role()
    admin = as_role(Role.HOSPITAL_ADMIN)
    data_before = _read_everything(owner, admin, north_data)
    for route in ROUTES:
        if str(route) == "DELETE /v1/session":
            continue  # concerns the session of the caller only
        if route.path.endswith(("/card", "/card.html")):
            continue  # models belong to the system; every key may read
        headers = (
            NORTH_KEY
            if str(route) == "POST /v1/cases"
            else {"Idempotency-Key": uuid4().hex}
        )
        foreign = call(south, route, north_data.ids, headers)
        absent = call(south, route, missing_ids, {"Idempotency-Key": uuid4().hex})
        assert foreign.status_code == absent.status_code, str(route)
        if route.named("path"):
            assert answer_text(foreign, north_data.ids) == answer_text(
                absent, missing_ids
            ), str(route)
            assert foreign.status_code in (403, 404), str(route)
        _check_shows_nothing_of(north_data, foreign, route)
        assert foreign.status_code != 422, f"{route}: {foreign.text}"
        assert foreign.status_code < 500, str(route)
    assert _read_everything(owner, admin, north_data) == data_before


@pytest.mark.parametrize("role", sorted(HOSPITAL_ROLES))
def test_a_query_for_another_hospital_is_answered_like_one_for_an_unknown_hospital(
    as_role, north_data, missing_ids, role
):
    south = as_role(role, "south")
    for route in ROUTES:
        if "hospital" in route.named("query"):
            ids = north_data.hospital, str(uuid4())
            names = (
                ids
                if route.path.endswith("/audit/export")
                else ("north", *ids, "nowhere")
            )
            answers = [call(south, route, missing_ids, hospital=name) for name in names]
            assert len({answer_text(answer, {}) for answer in answers}) == 1, str(route)
            assert answers[0].status_code in (403, 404), str(route)
        if "cursor" in route.named("query"):
            _check_shows_nothing_of(
                north_data,
                call(south, route, missing_ids, cursor=north_data.cursor),
                route,
            )


@pytest.mark.parametrize("role", sorted(HOSPITAL_ROLES))
def test_no_page_tells_anything_of_another_hospital(
    as_person, north_data, missing_ids, role
):
    south = as_person(role, "south")
    pages = _page_paths()
    assert len(pages) > 25
    for page in pages:
        foreign = _read_page(south, page, north_data.ids, north_data)
        absent = _read_page(south, page, missing_ids, north_data)
        for shown, missing in zip(foreign, absent, strict=True):
            assert shown.status_code < 500, page
            assert shown.status_code == missing.status_code, page
            if "{" in page:
                assert shown.status_code in (403, 404), page
            body = _without_ids(shown, north_data)
            leaks = [secret for secret in north_data.secrets if secret in body]
            assert leaks == [], f"{page} shows {leaks}"


@pytest.mark.parametrize("role", Role)
def test_a_role_without_permission_is_refused_at_its_own_hospital(
    credential, north_data, missing_ids, role
):
    client = credential(role)
    forbidden = [route for route in ROUTES if not is_permitted(role, route)]
    assert forbidden
    for route in forbidden:
        for ids in (north_data.ids, missing_ids):
            answer = call(client, route, ids)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (
                str(route)
            )


def test_without_a_key_or_a_session_every_route_is_refused(gateway, north_data):
    for route in ROUTES:
        status = (
            404 if route.path.startswith("/v1/session/oidc") else 401
        )  # there is no provider
        assert call(gateway, route, north_data.ids).status_code == status, str(route)


def _page_paths() -> list[str]:
    """The addresses of the pages for people, with their parameters in braces."""
    return [
        route.path
        for page in PAGES
        for route in page.router.routes
        if "GET" in route.methods
    ]


def _read_page(client, page: str, ids, north: North) -> list[Response]:
    """The page with these IDs, as it is and asked for north in each way that a filter may."""
    names = {"datasets": "datasets/name", "hospitals": "hospitals/name"}
    path = page
    for name in re.findall(r"{(\w+)(?::path)?}", page):
        key = names[page.split("/")[2]] if name == "name" else name
        path = re.sub(rf"{{{name}(:path)?}}", str(ids[key]), path)
    queries = (
        {},
        {"hospital": north.hospital},
        {"hospital": "north"},
        {"cursor": north.cursor},
        {"case": str(north.ids["case_id"])},
        {"q": "north-only-7"},
        {"batch": "north-only-7"},
    )
    return [client.get(path, params=query) for query in queries]


def _without_ids(answer: Response, north: North) -> str:
    """The page without what the request itself says."""
    body = answer.text
    for part in (
        *answer.request.url.params.values(),
        *answer.request.url.path.split("/"),
    ):
        body = body.replace(part, "") if len(part) > 3 else body
    return body


def _check_shows_nothing_of(north: North, answer, route) -> None:
    if answer.is_success:
        leaks = [secret for secret in north.secrets if secret in answer.text]
        assert leaks == [], f"{route} shows {leaks}"


def _read_everything(owner, admin, north: North) -> list[str]:
    """Return the data of the hospital `north` as its own keys read it."""
    case = north.ids["case_id"]
    job = north.ids["job_id"]
    paths = (f"/v1/cases/{case}", f"/v1/jobs/{job}", "/v1/jobs", "/v1/hospital")
    answers = [
        re.sub(r'"(eta_s|position)":([\d.]+|null)', "", owner.get(path).text)
        for path in paths
    ]  # these change with the queue
    keys = [{**key, "last_used_at": None} for key in admin.get("/v1/keys").json()]
    return [*answers, str(keys), admin.get("/v1/people").text]
