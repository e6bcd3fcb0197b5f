"""The terms of a database's schema: its revision, and the oldest code that may work with it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, column, select, table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.sql import Executable

from shared.ledger.clock import database_time
from shared.ledger.tables import SchemaTermsRow

REVISION = select(table("alembic_version", column("version_num", Text)).c.version_num)
OLDEST = select(SchemaTermsRow.oldest_code)
TABLES = text(
    "SELECT count(*) FROM pg_class "
    "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
)
UNDEFINED_TABLE = "42P01"
INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True)
class Schema:
    """`revision` is None if the database is empty or the revision is not readable."""

    revision: str | None
    oldest_code: str | None
    readable: bool = True
    """False in some schemas before the first release, whose revision services could not read."""


class SchemaTerms:
    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self) -> Schema:
        return read(self._session.connection())

    def now(self) -> datetime:
        """The database's clock."""
        return database_time(self._session)

    def server(self) -> str:
        """The version of PostgreSQL."""
        version: str = self._session.scalars(text("SHOW server_version")).one()
        return version


def read(connection: Connection) -> Schema:
    """Read the terms, as far as the login of the connection has the right to."""
    try:
        revision = _scalar(connection, REVISION)
        oldest_code = _scalar(connection, OLDEST) if revision else None
    except ProgrammingError as error:
        if _sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        return Schema(revision=None, oldest_code=None, readable=False)
    return Schema(revision=revision, oldest_code=oldest_code)


def is_empty(connection: Connection) -> bool:
    tables: int = connection.scalars(TABLES).one()
    return tables == 0


def _scalar(connection: Connection, query: Executable) -> str | None:
    """Return the first column of the first row; None if there is no such table."""
    try:
        with connection.begin_nested():
            value: str | None = connection.scalar(query)
            return value
    except ProgrammingError as error:
        if _sqlstate(error) != UNDEFINED_TABLE:
            raise
        return None


def _sqlstate(error: ProgrammingError) -> str | None:
    code: str | None = getattr(error.orig, "pgcode", None)
    return code
