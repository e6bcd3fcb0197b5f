"""A ledger with something of everything in it, its objects, and a place for backups."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import EmbeddedEngines
from shared.backup import BackupFolder, Source
from shared.domain.jobs import Priority
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.ledger.cases.repository import NewCase
from shared.ledger.schema.migrate import migrate
from shared.objects import ObjectStore, open_store
from shared.security.audit_signing import SealKey

KEYS = {"audit-ed25519": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}


@pytest.fixture(scope="session")
def unsynced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL in which databases are made and filled by the dozen; one of them is migrated."""
    with EmbeddedEngines(tmp_path_factory.mktemp("unsynced"), durable=False) as running:
        migrate(_made(running.database_url, "template_sera"))
        yield running.database_url


@pytest.fixture
def database_url(unsynced: str) -> str:
    """A fresh, migrated database."""
    return _made(unsynced, f"test_{uuid4().hex}", "template_sera")


@pytest.fixture
def empty_url(unsynced: str) -> str:
    """A database without any table."""
    return _made(unsynced, f"empty_{uuid4().hex}")


def _made(url: str, name: str, template: str = "template1") -> str:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as line:
        line.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@dataclass
class Ward:
    """A hospital that submits."""

    ledger: Ledger
    objects: ObjectStore
    url: str
    hospital: UUID

    @property
    def source(self) -> Source:
        return Source(self.url, self.objects, KEYS)

    def submit(self, image: bytes) -> tuple[UUID, UUID]:
        """The ids of a case and its job."""
        kept = self.objects.put(image)
        with self.ledger.hospital_session(self.hospital, "north") as book:
            new = NewCase(
                kept.sha256,
                kept.size,
                "png",
                300,
                300,
                14.5,
                None,
                f"case-{image.decode()}",
            )
            case = book.cases.add(new)
            return case, book.jobs.create(case, Priority.ROUTINE)

    def seal(self) -> None:
        with self.ledger.system_session("worker") as house:
            house.seals.add(SealKey(KEYS["audit-ed25519"], "the tests"))


@pytest.fixture
def ward(ledger: Ledger, database_url: str, tmp_path: Path) -> Ward:
    with ledger.system_session("test") as house:
        hospital = house.hospitals.ensure("north")
        house.api_keys.create_text(Role.SUBMITTER, hospital, "test")
    return Ward(
        ledger, open_store((tmp_path / "objects").as_uri()), database_url, hospital
    )


@pytest.fixture
def place(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backups")


@pytest.fixture
def fresh_objects(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "fresh").as_uri())
