"""An empty database is filled with the rows of a backup, in one transaction: it is whole or still empty.

The migrations make the tables, with their roles, walls and triggers, as they were at the backup; then the rows come in
as they are, past triggers that would number and hash them anew; then the newer migrations run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.audit.withdrawals import Withdrawals
from shared.domain.erasure import ErasureReason
from shared.errors import SeraError
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.backup.snapshot import (
    NO_TIMEOUTS,
    PORTABLE_FORMAT,
    SCHEMA_TABLES,
    driver_connection,
    heads,
    models,
    object_hashes,
)
from shared.ledger.cases.erasures import Retention
from shared.ledger.db_role import TAKE_SYSTEM_ROLE, translate_database_errors
from shared.ledger.hospitals.api_keys import ApiKeys
from shared.ledger.ledger import CONNECT_ARGS
from shared.ledger.schema.compatibility import check_known
from shared.ledger.schema.migrate import upgrade
from shared.ledger.schema.terms import is_empty

ACTOR = "restore"
REFERENCES = text(
    """
    SELECT t.relname, array_remove(array_agg(r.relname::text), NULL), t.relforcerowsecurity
    FROM pg_class t
    LEFT JOIN pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f' AND f.confrelid <> t.oid
    LEFT JOIN pg_class r ON r.oid = f.confrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r'
    GROUP BY t.oid, t.relname, t.relforcerowsecurity ORDER BY t.relname
    """
)
COUNTERS = text(
    """
    SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attidentity <> ''
    """
)


class DatabaseNotEmpty(SeraError):
    code = "database-not-empty"
    text = (
        "The database that should be restored into has tables already. Nothing was changed. Name an empty one in "
        "SERA_DATABASE_URL, or set SERA_HOME to a folder that does not exist yet."
    )


class RestoreTarget:
    """A database while it is being filled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_schema(self, revision: str) -> None:
        """Make the tables of this revision.

        Raises CodeBehind if it is of a later release, SchemaUnreleased if it is of none.
        """
        check_known(revision)
        upgrade(self._connection, revision)

    @contextmanager
    def empty_tables(self) -> Iterator[list[str]]:
        """The tables' names, in the order in which rows refer to one another; empty, and without their triggers."""
        told = [
            row
            for row in self._connection.execute(REFERENCES)
            if row[0] not in SCHEMA_TABLES
        ]
        order = list(
            TopologicalSorter(
                {name: set(others) for name, others, _ in told}
            ).static_order()
        )
        for name in order:
            self._do(
                f'ALTER TABLE "{name}" DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY'
            )
        for name in reversed(order):
            self._do(f'DELETE FROM "{name}"')
        yield order
        for name, _, forced in told:
            force = ", FORCE ROW LEVEL SECURITY" if forced else ""
            self._do(f'ALTER TABLE "{name}" ENABLE TRIGGER USER{force}')
        self._count_on()

    def load(self, table: str, columns: list[str], rows: BinaryIO) -> int:
        """Take in what `Snapshot.copy` wrote; returns how many rows."""
        told = ", ".join(f'"{name}"' for name in columns)
        with driver_connection(self._connection).cursor() as cursor:
            cursor.copy_expert(f'COPY "{table}" ({told}) FROM STDIN', rows)
            return cursor.rowcount

    def upgrade_to_head(self) -> None:
        """Run the migrations that came after the backup."""
        upgrade(self._connection, "head")

    def heads(self) -> dict[str, str]:
        return heads(self._connection)

    def object_hashes(self) -> list[str]:
        return object_hashes(self._connection)

    def models(self) -> list[str]:
        return models(self._connection)

    def record(self, withdrawn: Withdrawals, facts: Mapping[str, str]) -> tuple[int, int]:
        """Take back again what was taken back since, and put on record that this is a restored ledger.

        Returns how many cases were erased and keys revoked.
        """
        session = Session(self._connection, join_transaction_mode="create_savepoint")
        self._do(TAKE_SYSTEM_ROLE)
        audit = AuditTrail(session, ACTOR)
        audit.record_all([AuditEntry(Event.LEDGER_RESTORED, details={**facts})])
        done = (
            _erase(session, audit, withdrawn.cases),
            _revoke(session, audit, withdrawn.keys),
        )
        audit.write()
        session.commit()
        self._do("RESET ROLE")
        return done

    def _count_on(self) -> None:
        """Numbers that the database gives go on after the highest that was taken."""
        for table, column in self._connection.execute(COUNTERS).all():
            self._do(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max(\"{column}\"), 0) + 1, "
                f'false) FROM "{table}"'
            )

    def _do(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)


@contextmanager
def open_restore_target(url: str) -> Iterator[RestoreTarget]:
    """The transaction; it takes effect when the context ends without an error. Raises DatabaseNotEmpty."""
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT_ARGS)
    try:
        with translate_database_errors(), engine.begin() as connection:
            connection.exec_driver_sql(f"{NO_TIMEOUTS}; {PORTABLE_FORMAT}")
            if not is_empty(connection):
                raise DatabaseNotEmpty
            yield RestoreTarget(connection)
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql("ANALYZE")
    finally:
        engine.dispose()


def _erase(session: Session, audit: AuditTrail, cases: Mapping[str, str]) -> int:
    retention = Retention(session, audit, ACTOR)
    return sum(
        retention.erase_again(UUID(case), ErasureReason(ground))
        for case, ground in sorted(cases.items())
    )


def _revoke(session: Session, audit: AuditTrail, ids: frozenset[str]) -> int:
    """Keys that were made after the backup are not there at all."""
    keys = ApiKeys(session, audit)
    back = sorted(ids & {key.id for key in keys.all() if key.revoked_at is None})
    for key_id in back:
        keys.revoke(key_id)
    return len(back)
