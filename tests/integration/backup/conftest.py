"""A ledger with some rows of every kind, its objects, and a folder for backups."""

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
TRUSTED = (SealKey(KEYS["audit-ed25519"], "the tests").public,)


@pytest.fixture(scope="session")
def fast_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL without fsync for many databases, with one migrated template."""
    with EmbeddedEngines(
        tmp_path_factory.mktemp("fast_engine"), durable=False
    ) as engines:
        migrate(_create_database(engines.database_url, "template_sera"))
        yield engines.database_url


@pytest.fixture
def database_url(fast_engine: str) -> str:
    """A fresh, migrated database."""
    return _create_database(fast_engine, f"test_{uuid4().hex}", "template_sera")


@pytest.fixture
def empty_url(fast_engine: str) -> str:
    """A database without any table."""
    return _create_database(fast_engine, f"empty_{uuid4().hex}")


def _create_database(url: str, name: str, template: str = "template1") -> str:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@dataclass
class SubmittingHospital:
    """A hospital that submits cases."""

    ledger: Ledger
    objects: ObjectStore
    url: str
    hospital_id: UUID

    @property
    def source(self) -> Source:
        return Source(self.url, self.objects, KEYS)

    def submit(self, image: bytes) -> tuple[UUID, UUID]:
        """Returns the ids of the case and its job."""
        stored = self.objects.put(image)
        with self.ledger.hospital_session(self.hospital_id, "north") as session:
            new_case = NewCase(
                image_sha256=stored.sha256,
                image_bytes=stored.size,
                image_format="png",
                width=300,
                height=300,
                size_mm=14.5,
                roi=None,
                external_id=f"case-{image.decode()}",
            )
            case_id = session.cases.add(new_case)
            return case_id, session.jobs.create(case_id, Priority.ROUTINE)

    def seal(self) -> None:
        with self.ledger.system_session("worker") as session:
            session.seals.add(SealKey(KEYS["audit-ed25519"], "the tests"))


@pytest.fixture
def hospital(ledger: Ledger, database_url: str, tmp_path: Path) -> SubmittingHospital:
    with ledger.system_session("test") as session:
        hospital_id = session.hospitals.ensure("north")
        session.api_keys.create_text(Role.SUBMITTER, hospital_id, "test")
    return SubmittingHospital(
        ledger=ledger,
        objects=open_store((tmp_path / "objects").as_uri()),
        url=database_url,
        hospital_id=hospital_id,
    )


@pytest.fixture
def backups(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backups")


@pytest.fixture
def fresh_objects(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "fresh").as_uri())
