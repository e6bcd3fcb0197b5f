"""Fills an empty database with the rows of a backup, in one transaction.

If anything fails, the database is still empty. First the migrations create the tables, with their
roles, policies and triggers, as they were at the time of the backup. Then the rows are copied with
triggers disabled, because the triggers would number and hash them again. Then the newer migrations
run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import BinaryIO
from uuid import UUID

from psycopg2 import sql
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
    columns_of,
    driver_connection,
    heads,
    identifiers,
    model_digests,
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
    SELECT t.relname AS name, array_remove(array_agg(r.relname::text), NULL) AS referenced,
        t.relrowsecurity AS is_protected
    FROM pg_class t
    LEFT JOIN pg_constraint f
        ON f.conrelid = t.oid AND f.contype = 'f' AND f.confrelid <> t.oid
    LEFT JOIN pg_class r ON r.oid = f.confrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r'
    GROUP BY t.oid, t.relname, t.relrowsecurity ORDER BY t.relname
    """
)
COUNTERS = text(
    """
    SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        AND a.attidentity <> ''
    """
)


class DatabaseNotEmpty(SeraError):
    code = "database-not-empty"
    text = (
        "The database that should be restored into has tables already. Nothing was changed. Name "
        "an empty one in SERA_DATABASE_URL, or set SERA_HOME to a folder that does not exist yet."
    )


class RestoreTarget:
    """The database that is being filled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_schema(self, revision: str) -> None:
        """Create the tables of this revision.

        Raises CodeOutdated for a revision of a later release, SchemaUnreleased for a revision of no
        release.
        """
        check_known(revision)
        upgrade(self._connection, revision)

    @contextmanager
    def empty_tables(self) -> Iterator[list[str]]:
        """Empty all tables, and disable their triggers until the context ends.

        Yields the tables' names. Each table comes after the tables to which its rows refer.
        """
        rows = self._connection.execute(REFERENCES).all()
        tables = [row for row in rows if row.name not in SCHEMA_TABLES]
        graph = {table.name: set(table.referenced) for table in tables}
        order = list(TopologicalSorter(graph).static_order())
        for name in order:
            self._execute_for(
                name,
                "ALTER TABLE {table} DISABLE TRIGGER USER, DISABLE ROW LEVEL SECURITY",
            )
        for name in reversed(order):
            self._execute_for(name, "DELETE FROM {table}")
        yield order
        for table in tables:
            self._execute_for(table.name, "ALTER TABLE {table} ENABLE TRIGGER USER")
            if table.is_protected:
                self._execute_for(
                    table.name, "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
                )
        self._advance_counters()

    def columns(self, table: str) -> list[str]:
        """The columns of a table that a backup has."""
        return columns_of(self._connection, table)

    def load(self, table: str, columns: list[str], rows: BinaryIO) -> int:
        """Load the rows that `Snapshot.copy` wrote; returns how many.

        The system's role loads them, which may insert rows and nothing else on the server, whoever
        owns the tables.
        """
        statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
            table=sql.Identifier(table), columns=identifiers(columns)
        )
        self._execute(TAKE_SYSTEM_ROLE)
        with driver_connection(self._connection).cursor() as cursor:
            cursor.copy_expert(statement, rows)
            count: int = cursor.rowcount
        self._execute("RESET ROLE")
        return count

    def upgrade_to_head(self) -> None:
        """Run the migrations that came after the backup."""
        upgrade(self._connection, "head")

    def heads(self) -> dict[str, str]:
        return heads(self._connection)

    def object_hashes(self) -> list[str]:
        return object_hashes(self._connection)

    def model_digests(self) -> list[str]:
        return model_digests(self._connection)

    def apply_withdrawals(
        self, withdrawals: Withdrawals, facts: Mapping[str, str]
    ) -> tuple[int, int]:
        """Repeat the erasures and revocations after the backup, and record the restore.

        Returns the number of erased cases and the number of revoked keys.
        """
        session = Session(self._connection, join_transaction_mode="create_savepoint")
        self._execute(TAKE_SYSTEM_ROLE)
        audit = AuditTrail(session, ACTOR)
        entry = AuditEntry(event=Event.LEDGER_RESTORED, details={**facts})
        audit.record_all([entry])
        erased = _erase_again(session, audit, withdrawals.cases)
        revoked = _revoke_again(session, audit, withdrawals.keys)
        audit.write()
        session.commit()
        self._execute("RESET ROLE")
        return erased, revoked

    def _advance_counters(self) -> None:
        """Let identity columns continue after their highest number."""
        for table, column in self._connection.execute(COUNTERS).all():
            statement = sql.SQL(
                "SELECT setval(pg_get_serial_sequence({table_name}, {column_name}), "
                "coalesce(max({column}), 0) + 1, false) FROM {table}"
            ).format(
                table_name=sql.Literal(table),
                column_name=sql.Literal(column),
                column=sql.Identifier(column),
                table=sql.Identifier(table),
            )
            self._compose(statement)

    def _execute_for(self, table: str, statement: str) -> None:
        self._compose(sql.SQL(statement).format(table=sql.Identifier(table)))

    def _compose(self, statement: sql.Composed) -> None:
        with driver_connection(self._connection).cursor() as cursor:
            cursor.execute(statement)

    def _execute(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)


@contextmanager
def open_restore_target(url: str) -> Iterator[RestoreTarget]:
    """A restore as one transaction, which is committed when the context ends without an error.

    Raises DatabaseNotEmpty, Unavailable.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT_ARGS)
    try:
        with translate_database_errors(), engine.begin() as connection:
            connection.exec_driver_sql(f"{NO_TIMEOUTS}; {PORTABLE_FORMAT}")
            if not is_empty(connection):
                raise DatabaseNotEmpty
            yield RestoreTarget(connection)
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommit.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    finally:
        engine.dispose()


def _erase_again(session: Session, audit: AuditTrail, cases: Mapping[str, str]) -> int:
    retention = Retention(session, audit, ACTOR)
    erased = 0
    for case, ground in sorted(cases.items()):
        if retention.erase_again(UUID(case), ErasureReason(ground)):
            erased += 1
    return erased


def _revoke_again(session: Session, audit: AuditTrail, ids: frozenset[str]) -> int:
    """Revoke keys. Keys that were created after the backup are not in the database."""
    keys = ApiKeys(session, audit)
    unrevoked_ids = {key.id for key in keys.all() if key.revoked_at is None}
    key_ids = sorted(ids & unrevoked_ids)
    for key_id in key_ids:
        keys.revoke(key_id)
    return len(key_ids)
