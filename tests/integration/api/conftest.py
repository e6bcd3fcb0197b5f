"""The gateway with real engines: a fresh database, a shared Valkey and a folder of objects."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import text

from deploy.local import EmbeddedEngines
from services.api.middleware.authentication import session_lifetime
from services.api.middleware.origin_policy import (
    CSRF_HEADER,
    SESSION_COOKIE,
    csrf_token,
)
from shared.domain.roles import HOSPITAL_ROLES, Role
from shared.ledger import Ledger
from shared.ledger.people.repository import Person
from shared.security import passwords
from shared.settings import Settings
from tests.support.app import create_app
from tests.support.sign_in import PASSWORD

MakeKey = Callable[..., str]
MakePerson = Callable[..., Person]
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GATEWAY_HASHER = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
"""The hasher of the gateway in these tests. A hash by CHEAP_HASHER has outdated parameters."""


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the password hasher, which takes a tenth of a second by intent.

    tests/unit/security/test_passwords.py checks its parameters."""
    monkeypatch.setattr(passwords, "HASHER", GATEWAY_HASHER)
    monkeypatch.setattr(passwords, "DUMMY_HASH", GATEWAY_HASHER.hash("nobody's"))


@pytest.fixture
def settings(database_url: str, engines: EmbeddedEngines, tmp_path: Path) -> Settings:
    objects = (tmp_path / "objects").as_uri()
    return Settings(
        home=tmp_path,
        database_url=database_url,
        broker_url=engines.broker_url,
        objects_url=objects,
        max_upload_mib=1,
    )


@pytest.fixture
def make_key(ledger: Ledger) -> MakeKey:
    def make(role: Role = Role.SUBMITTER, hospital: str = "north") -> str:
        return key_of(ledger, role, hospital)

    return make


def key_of(ledger: Ledger, role: Role, hospital: str) -> str:
    with ledger.system_session("test") as session:
        return session.api_keys.create_text(
            role, session.hospitals.ensure(hospital), "test"
        )


def with_key(gateway: TestClient, key: str) -> TestClient:
    """Return a client of the gateway that sends this API key."""
    headers = {"Authorization": f"Bearer {key}"}
    client = TestClient(gateway.app, headers=headers, raise_server_exceptions=False)
    client.portal = gateway.portal
    return client


@pytest.fixture
def gateway(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def as_role(gateway: TestClient, make_key: MakeKey) -> Callable[..., TestClient]:
    """Creates a client with an API key of a role and a hospital."""

    def client_for(role: Role = Role.SUBMITTER, hospital: str = "north") -> TestClient:
        return with_key(gateway, make_key(role, hospital))

    return client_for


@pytest.fixture
def browser(gateway: TestClient) -> Callable[[], TestClient]:
    """Creates a client that sends the origin of the gateway's own pages."""

    def open_page() -> TestClient:
        client = TestClient(
            gateway.app,
            headers={"Origin": "http://testserver"},
            raise_server_exceptions=False,
        )
        client.portal = gateway.portal
        return client

    return open_page


@pytest.fixture
def make_person(ledger: Ledger) -> MakePerson:
    """Creates a person whose password is PASSWORD, with a hash that is quick to verify."""

    def make(
        role: Role = Role.SUBMITTER,
        hospital: str | None = "north",
        name: str | None = None,
    ) -> Person:
        home_hospital = hospital if role in HOSPITAL_ROLES else None
        with ledger.system_session("test") as session:
            hospital_id = (
                session.hospitals.ensure(home_hospital) if home_hospital else None
            )
            person = session.people.create(
                name or f"{role}-{uuid4().hex}",
                role,
                hospital_id,
                CHEAP_HASHER.hash(PASSWORD),
            )
        with ledger.engine.begin() as connection:
            connection.execute(
                text("UPDATE people SET must_change = false WHERE id = :id"),
                {"id": person.id},
            )
        return person

    return make


@pytest.fixture
def signed_in(
    browser: Callable[[], TestClient], settings: Settings, ledger: Ledger
) -> Callable[[Person], TestClient]:
    """Creates a client with a session of a person."""

    def client_for(person: Person) -> TestClient:
        client = browser()
        with ledger.system_session("test") as session:
            token = session.sessions.create(person.id, session_lifetime(settings))
        client.cookies.set(SESSION_COOKIE, token)
        client.headers[CSRF_HEADER] = csrf_token(token)
        return client

    return client_for


@pytest.fixture
def as_person(
    make_person: MakePerson, signed_in: Callable[[Person], TestClient]
) -> Callable[..., TestClient]:
    """Creates a person of a role and a hospital and a client with their session."""

    def client_for(role: Role = Role.SUBMITTER, hospital: str = "north") -> TestClient:
        return signed_in(make_person(role, hospital))

    return client_for


@pytest.fixture
def north(as_role: Callable[..., TestClient]) -> TestClient:
    return as_role()


@pytest.fixture
def distinct_images(ledger):
    """Gives every case a different image hash."""

    def set_images() -> None:
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.execute(
                text(
                    "UPDATE cases SET image_sha256 = replace(id::text, '-', '') WHERE erased_at IS "
                    "NULL"
                )
            )

    return set_images
