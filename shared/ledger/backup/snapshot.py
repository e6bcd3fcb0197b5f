"""The whole ledger as it was at one moment, read while others write: what a backup is made of.

Rows are read as the house, so that the login may be the services' own or the tables' owner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO, cast

from psycopg2 import extensions
from sqlalchemy import Connection, NullPool, create_engine, text

from shared.domain.audit.chain import format_time
from shared.domain.audit.withdrawals import Withdrawals
from shared.ledger.db_role import TAKE_SYSTEM_ROLE, translate_database_errors
from shared.ledger.ledger import CONNECT_ARGS
from shared.ledger.schema.compatibility import check_compatible
from shared.ledger.schema.terms import read

SCHEMA_TABLES = ("alembic_version", "schema_terms")
TRANSIENT_TABLES = ("arrivals", "doorsteps", "sessions")
"""What only holds for a while. Everybody signs in again after a restore, also those who had signed out."""
NO_TIMEOUTS = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
PORTABLE_FORMAT = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 1"
TABLES = text(
    """
    SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname
    """
)
COLUMNS = text(
    """
    SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' ORDER BY attnum
    """
)
HEADS = text(
    "SELECT DISTINCT ON (chain) chain, number, hash FROM audit_events ORDER BY chain, number DESC"
)
ERASED = (
    "EXISTS (SELECT FROM cases c WHERE c.id = i.case_id AND c.erased_at IS NOT NULL)"
)
NAMED = text(
    f"""
    SELECT image_sha256 FROM cases WHERE erased_at IS NULL
    UNION SELECT png_sha256 FROM explanations WHERE png_sha256 IS NOT NULL
    UNION SELECT heat_sha256 FROM explanation_maps
    UNION SELECT image_sha256 FROM dataset_images i WHERE NOT {ERASED}
    UNION SELECT mask_sha256 FROM dataset_images i WHERE mask_sha256 IS NOT NULL AND NOT {ERASED}
    UNION SELECT image_sha256 FROM version_images i WHERE NOT {ERASED}
    UNION SELECT mask_sha256 FROM version_images i WHERE mask_sha256 IS NOT NULL AND NOT {ERASED}
    UNION SELECT digest FROM models
    ORDER BY 1
    """
)
MODELS = text("SELECT digest FROM models ORDER BY digest")
LET_GO = text("SELECT sha256 FROM orphans WHERE sha256 = ANY(:hashes)")


class Snapshot:
    """One moment of the ledger; whoever holds it sees nothing that was committed later."""

    def __init__(self, connection: Connection, revision: str) -> None:
        self._connection = connection
        self.revision = revision
        self.at: datetime = connection.scalar(text("SELECT clock_timestamp()"))
        self.server: str = connection.scalar(text("SHOW server_version"))

    def tables(self) -> dict[str, list[str]]:
        """The columns of each table that a backup holds; what the database computes is left out."""
        names = [
            name
            for name in self._connection.scalars(TABLES)
            if name not in (*SCHEMA_TABLES, *TRANSIENT_TABLES)
        ]
        return {
            name: list(self._connection.scalars(COLUMNS, {"table": name}))
            for name in names
        }

    def copy(self, table: str, columns: list[str], out: BinaryIO) -> int:
        """Write a table's rows as PostgreSQL's COPY does, in text; returns how many."""
        told = ", ".join(f'"{name}"' for name in columns)
        with driver_connection(self._connection).cursor() as cursor:
            cursor.copy_expert(f'COPY (SELECT {told} FROM "{table}") TO STDOUT', out)
            return cursor.rowcount

    def object_hashes(self) -> list[str]:
        return object_hashes(self._connection)

    def models(self) -> list[str]:
        return models(self._connection)

    def heads(self) -> dict[str, str]:
        return heads(self._connection)

    def withdrawn(self) -> Withdrawals:
        """Every erased case and revoked key there ever was: their rows stay."""
        cases = self._connection.execute(
            text("SELECT id, erased_for FROM cases WHERE erased_at IS NOT NULL")
        )
        keys = self._connection.scalars(
            text("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL")
        )
        return Withdrawals(
            format_time(self.at),
            {str(case): ground for case, ground in cases},
            frozenset(keys),
        )


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Raises SchemaBehind, CodeBehind, SchemaUnreleased, RolesMissing, Unavailable."""
    engine = create_engine(
        url, poolclass=NullPool, isolation_level="REPEATABLE READ", connect_args=CONNECT_ARGS
    )
    try:
        with translate_database_errors(), engine.connect() as connection:
            connection.exec_driver_sql(
                f"SET TRANSACTION READ ONLY; {NO_TIMEOUTS}; {PORTABLE_FORMAT}; {TAKE_SYSTEM_ROLE}"
            )
            yield Snapshot(connection, check_compatible(read(connection)))
    finally:
        engine.dispose()


def driver_connection(connection: Connection) -> extensions.connection:
    """For COPY, which SQLAlchemy has no words for."""
    return cast(extensions.connection, connection.connection.driver_connection)


def object_hashes(connection: Connection) -> list[str]:
    """Hashes of the objects that rows name; of a model that is its manifest, which names the rest."""
    return list(connection.scalars(NAMED))


def models(connection: Connection) -> list[str]:
    return list(connection.scalars(MODELS))


def heads(connection: Connection) -> dict[str, str]:
    """Number and hash of each audit chain's last event."""
    return {
        chain: f"{number} {digest}"
        for chain, number, digest in connection.execute(HEADS)
    }


def released_objects(url: str, hashes: list[str]) -> set[str]:
    """Which of these objects erasures have let go of by now."""
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT_ARGS)
    try:
        with translate_database_errors(), engine.connect() as connection:
            connection.exec_driver_sql(TAKE_SYSTEM_ROLE)
            return set(connection.scalars(LET_GO, {"hashes": hashes}))
    finally:
        engine.dispose()
