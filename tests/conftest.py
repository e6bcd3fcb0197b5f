"""Engines shared by the tests: one PostgreSQL, one Valkey for the session; a fresh database for each test that asks."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import EmbeddedEngines
from shared.ledger import Ledger
from shared.ledger.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and Valkey, the ones `./sera up` starts."""
    with EmbeddedEngines(tmp_path_factory.mktemp("engines")) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(engines: EmbeddedEngines) -> str:
    """Name of a migrated database that new ones are copied from."""
    url = make_url(engines.database_url)
    _execute(url, 'CREATE DATABASE "template_sera"')
    migrate(url.set(database="template_sera").render_as_string(hide_password=False))
    return "template_sera"


@pytest.fixture
def database_url(engines: EmbeddedEngines, migrated: str) -> Iterator[str]:
    """A fresh, migrated database."""
    url, name = make_url(engines.database_url), f"test_{uuid4().hex}"
    _execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    yield url.set(database=name).render_as_string(hide_password=False)
    _execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    opened = Ledger(database_url)
    yield opened
    opened.close()


def _execute(url, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
