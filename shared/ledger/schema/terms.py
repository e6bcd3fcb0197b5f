"""What a database says of its own schema: its revision, and what code must know at least to work with it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, column, select, table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.sql import Executable

from shared.ledger.clock import database_time
from shared.ledger.tables import TermsRow

REVISION = select(table("alembic_version", column("version_num", Text)).c.version_num)
OLDEST = select(TermsRow.oldest_code)
TABLES = text(
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
)
NOT_TO_BE_READ = ("42P01", "42501")
"""No such table, no leave to read it: schemas of before services could ask."""


@dataclass(frozen=True)
class Schema:
    """`revision` None: there is none, or it is from before services could read it."""

    revision: str | None
    oldest_code: str | None


class Terms:
    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self) -> Schema:
        return read(self._session.connection())

    def now(self) -> datetime:
        """By the database's clock."""
        return database_time(self._session)

    def server(self) -> str:
        """The version of PostgreSQL."""
        version: str = self._session.scalars(text("SHOW server_version")).one()
        return version


def read(connection: Connection) -> Schema:
    """What the database tells whoever this connection speaks for."""
    revision = _told(connection, REVISION)
    return Schema(revision, revision and _told(connection, OLDEST))


def is_empty(connection: Connection) -> bool:
    tables: int = connection.scalars(TABLES).one()
    return tables == 0


def _told(connection: Connection, query: Executable) -> str | None:
    try:
        with connection.begin_nested():
            value: str | None = connection.scalar(query)
            return value
    except ProgrammingError as refused:
        if getattr(refused.orig, "pgcode", None) in NOT_TO_BE_READ:
            return None
        raise
