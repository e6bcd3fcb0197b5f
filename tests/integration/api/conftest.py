"""The gateway on real engines: a fresh database, the session's Valkey, a directory of objects."""

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
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GATEWAYS = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
"""What the gateway hashes with in these tests, so that a hash of CHEAP is one of old parameters."""


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash costs a tenth of a second by intent: tests/unit/security/test_passwords.py holds its
    parameters."""
    monkeypatch.setattr(passwords, "HASHER", GATEWAYS)
    monkeypatch.setattr(passwords, "DUMMY_HASH", GATEWAYS.hash("nobody's"))


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
    """The gateway as seen by whoever has this key."""
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
    """The gateway as seen by a key of this role and hospital."""

    def client_for(role: Role = Role.SUBMITTER, hospital: str = "north") -> TestClient:
        return with_key(gateway, make_key(role, hospital))

    return client_for


@pytest.fixture
def browser(gateway: TestClient) -> Callable[[], TestClient]:
    """The gateway as seen by a browser on one of its own pages."""

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
    """A person with a password of their own, which costs little to check."""

    def make(
        role: Role = Role.SUBMITTER,
        hospital: str | None = "north",
        name: str | None = None,
    ) -> Person:
        home = hospital if role in HOSPITAL_ROLES else None
        with ledger.system_session("test") as session:
            hospital_id = session.hospitals.ensure(home) if home else None
            made = session.people.create(
                name or f"{role}-{uuid4().hex}", role, hospital_id, CHEAP.hash(PASSWORD)
            )
        with ledger.engine.begin() as connection:
            connection.execute(
                text("UPDATE people SET must_change = false WHERE id = :id"),
                {"id": made.id},
            )
        return made

    return make


@pytest.fixture
def signed_in(
    browser: Callable[[], TestClient], settings: Settings, ledger: Ledger
) -> Callable[[Person], TestClient]:
    """The gateway as seen by a person who has signed in."""

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
    """The gateway as seen by a person of this role and hospital."""

    def client_for(role: Role = Role.SUBMITTER, hospital: str = "north") -> TestClient:
        return signed_in(make_person(role, hospital))

    return client_for


@pytest.fixture
def north(as_role: Callable[..., TestClient]) -> TestClient:
    return as_role()
