"""A snapshot of the ledger: all rows at one moment, for a backup.

It is read while other transactions write.

The snapshot switches to the system's role, so that either login will do: that of the services or
that of the tables' owner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO, cast

from psycopg2 import extensions, sql
from sqlalchemy import Connection, NullPool, create_engine, text

from shared.domain.audit.chain import format_time
from shared.domain.audit.withdrawals import Withdrawals
from shared.ledger.db_role import TAKE_SYSTEM_ROLE, translate_database_errors
from shared.ledger.ledger import CONNECT_ARGS
from shared.ledger.schema import terms
from shared.ledger.schema.compatibility import check_compatible

SCHEMA_TABLES = ("alembic_version", "schema_terms")
TRANSIENT_TABLES = (
    "arrivals",
    "doorsteps",
    "sessions",
    "preview_outlines",
    "previews",
)
"""Tables with short-lived rows, which a backup leaves out: the requests that rate limits count, the
failed attempts to sign in, the sessions of people, and
previews, whose images are erased within the hour. After a restore everybody signs in
again, because the sessions that were ended since the backup are unknown."""
NO_TIMEOUTS = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
PORTABLE_FORMAT = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; "
    "SET LOCAL extra_float_digits = 1"
)
TABLES = text(
    """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname
    """
)
COLUMNS = text(
    """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(quote_ident(:table)) AND attnum > 0 AND NOT attisdropped
        AND attgenerated = '' ORDER BY attnum
    """
)
HEADS = text(
    "SELECT DISTINCT ON (chain) chain, number, hash FROM audit_events ORDER BY chain, number DESC"
)
IS_ERASED = (
    "EXISTS (SELECT FROM cases c WHERE c.id = i.case_id AND c.erased_at IS NOT NULL)"
)
OBJECT_HASHES = text(
    f"""
    SELECT image_sha256 FROM cases WHERE erased_at IS NULL
    UNION SELECT png_sha256 FROM explanations WHERE png_sha256 IS NOT NULL
    UNION SELECT heat_sha256 FROM explanation_maps
    UNION SELECT image_sha256 FROM dataset_images i WHERE NOT {IS_ERASED}
    UNION SELECT mask_sha256 FROM dataset_images i WHERE mask_sha256 IS NOT NULL AND NOT {IS_ERASED}
    UNION SELECT image_sha256 FROM version_images i WHERE NOT {IS_ERASED}
    UNION SELECT mask_sha256 FROM version_images i WHERE mask_sha256 IS NOT NULL AND NOT {IS_ERASED}
    UNION SELECT digest FROM models
    ORDER BY 1
    """
)
MODELS = text("SELECT digest FROM models ORDER BY digest")
RELEASED_OBJECTS = text("SELECT sha256 FROM orphans WHERE sha256 = ANY(:hashes)")


class Snapshot:
    """The ledger at one moment. Later commits are not visible in it.

    `at` is the start of the transaction, which is not later than that moment.
    """

    def __init__(self, connection: Connection, revision: str) -> None:
        self._connection = connection
        self.revision = revision
        self.at: datetime = connection.scalar(text("SELECT transaction_timestamp()"))
        self.server: str = connection.scalar(text("SHOW server_version"))

    def tables(self) -> dict[str, list[str]]:
        """The columns of each table of a backup, without the columns that the database computes."""
        excluded = (*SCHEMA_TABLES, *TRANSIENT_TABLES)
        columns_by_table: dict[str, list[str]] = {}
        for table in self._connection.scalars(TABLES).all():
            if table not in excluded:
                columns_by_table[table] = columns_of(self._connection, table)
        return columns_by_table

    def copy(self, table: str, columns: list[str], file: BinaryIO) -> int:
        """Write a table's rows in the text format of PostgreSQL's COPY; returns how many."""
        statement = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT").format(
            columns=identifiers(columns), table=sql.Identifier(table)
        )
        with driver_connection(self._connection).cursor() as cursor:
            cursor.copy_expert(statement, file)
            return cursor.rowcount

    def object_hashes(self) -> list[str]:
        return object_hashes(self._connection)

    def model_digests(self) -> list[str]:
        return model_digests(self._connection)

    def heads(self) -> dict[str, str]:
        return heads(self._connection)

    def withdrawals(self) -> Withdrawals:
        """Return all erased cases and revoked keys. Their rows are never deleted."""
        cases = self._connection.execute(
            text("SELECT id, erased_for FROM cases WHERE erased_at IS NOT NULL")
        )
        keys = self._connection.scalars(
            text("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL")
        )
        return Withdrawals(
            known_at=format_time(self.at),
            cases={str(case): ground for case, ground in cases},
            keys=frozenset(keys),
        )


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Open a read-only transaction that sees the ledger at one moment.

    Raises SchemaOutdated, CodeOutdated, SchemaUnreleased, RolesMissing, Unavailable.
    """
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args=CONNECT_ARGS,
    )
    try:
        with translate_database_errors(), engine.connect() as connection:
            connection.exec_driver_sql(
                f"SET TRANSACTION READ ONLY; {NO_TIMEOUTS}; {PORTABLE_FORMAT}; "
                f"{TAKE_SYSTEM_ROLE}"
            )
            revision = check_compatible(terms.read(connection))
            yield Snapshot(connection, revision)
    finally:
        engine.dispose()


def driver_connection(connection: Connection) -> extensions.connection:
    """psycopg2's connection, for COPY, which SQLAlchemy does not support."""
    return cast(extensions.connection, connection.connection.driver_connection)


def columns_of(connection: Connection, table: str) -> list[str]:
    """The columns of a table, without those that the database computes."""
    return list(connection.scalars(COLUMNS, {"table": table}))


def identifiers(names: list[str]) -> sql.Composed:
    """Names with commas, quoted by the driver."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def object_hashes(connection: Connection) -> list[str]:
    """Hashes of the objects to which rows refer.

    For a model this is only its manifest, which names the other objects of its bundle.
    """
    return list(connection.scalars(OBJECT_HASHES))


def model_digests(connection: Connection) -> list[str]:
    return list(connection.scalars(MODELS))


def heads(connection: Connection) -> dict[str, str]:
    """Number and hash of each audit chain's last event."""
    return {
        chain: f"{number} {digest}"
        for chain, number, digest in connection.execute(HEADS)
    }


def released_objects(url: str, hashes: list[str]) -> set[str]:
    """Return the subset of these objects that no row needs any more after an erasure.

    Such objects may be deleted at any time.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT_ARGS)
    try:
        with translate_database_errors(), engine.connect() as connection:
            connection.exec_driver_sql(TAKE_SYSTEM_ROLE)
            return set(connection.scalars(RELEASED_OBJECTS, {"hashes": hashes}))
    finally:
        engine.dispose()
