"""The gateway on real engines: a fresh database, the session's Valkey, a directory of objects."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from deploy.local import EmbeddedEngines
from services.api.app import create_app
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.settings import Settings

MakeKey = Callable[..., str]


@pytest.fixture
def settings(database_url: str, engines: EmbeddedEngines, tmp_path: Path) -> Settings:
    objects = (tmp_path / "objects").as_uri()
    return Settings(
        home=tmp_path, database_url=database_url, broker_url=engines.broker_url, objects_url=objects, max_upload_mib=1
    )


@pytest.fixture
def make_key(ledger: Ledger) -> MakeKey:
    def make(role: Role = Role.SUBMITTER, hospital: str = "north") -> str:
        with ledger.whole("test") as house:
            return house.keys.create(role, house.hospitals.ensure(hospital), "test")

    return make


@pytest.fixture
def gateway(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def as_role(gateway: TestClient, make_key: MakeKey) -> Callable[..., TestClient]:
    """The gateway as seen by a key of this role and hospital."""

    def seen(role: Role = Role.SUBMITTER, hospital: str = "north") -> TestClient:
        headers = {"Authorization": f"Bearer {make_key(role, hospital)}"}
        client = TestClient(gateway.app, headers=headers, raise_server_exceptions=False)
        client.portal = gateway.portal
        return client

    return seen


@pytest.fixture
def north(as_role: Callable[..., TestClient]) -> TestClient:
    return as_role()
