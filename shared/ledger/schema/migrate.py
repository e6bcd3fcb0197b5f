"""Migrates a database to the latest schema while it is in use. Several processes may start at once.

Each migration runs in a separate transaction. An empty database, which nobody uses, gets all
migrations in one transaction. A migration waits for a table's lock for a limited time, because
requests queue behind it. Then it gives up the lock, lets the requests run, and tries again. In a
deadlock with a request, too, it is the migration that gives way.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, NullPool, create_engine, text, update
from sqlalchemy.exc import OperationalError

from shared.errors import SeraError
from shared.ledger.schema.compatibility import (
    OLDEST_SERVED,
    check_known,
    configuration,
    revisions,
)
from shared.ledger.tables import SchemaTermsRow
from shared.observability.logs import log

LOCK = text("SELECT pg_advisory_xact_lock(7300001)")
LOCK_TIMEOUT_S = 0.5
"""While a migration waits for a table, all later requests for it wait, too. A request that waits
for 1 s looks for a deadlock (PostgreSQL's `deadlock_timeout`) and fails, so this is shorter."""
PATIENCE_S = 120.0
"""A migration that cannot get its locks within this time fails."""
PAUSE_S = 1.0
LOCKED_OUT = ("55P03", "40P01")
"""SQLSTATE of a lock that was not available in time, and of a deadlock."""


class MigrationBlocked(SeraError):
    code = "migration-blocked"
    text = (
        "The migration {revision} could not lock its tables within {patience_s:g} s, for a "
        "transaction holds them. Nothing was changed by it. Find the transaction (`SELECT pid, "
        "xact_start, query FROM pg_stat_activity ORDER BY xact_start`), end it or wait for it, "
        "and run the migrations again."
    )


def migrate(
    url: str, *, lock_timeout_s: float = LOCK_TIMEOUT_S, patience_s: float = PATIENCE_S
) -> None:
    """Run the missing migrations, one process at a time.

    Raises MigrationBlocked, CodeOutdated, SchemaUnreleased.
    """
    with _engine(url) as engine:
        while revision := _next_revision(engine):
            run_next = partial(_run_next, engine, lock_timeout_s)
            _run_patiently(run_next, revision, patience_s)
        _write_terms(engine)


def downgrade(
    url: str,
    revision: str,
    *,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    patience_s: float = PATIENCE_S,
) -> None:
    """Undo the migrations after this revision, in one transaction; all of them for `base`.

    `docs/recovery.md` lists the data that a downgrade loses.

    Raises MigrationBlocked.
    """
    with _engine(url) as engine:
        run_back = partial(_run_back, engine, revision, lock_timeout_s)
        _run_patiently(run_back, revision, patience_s)


def upgrade(connection: Connection, revision: str) -> None:
    """Upgrade to this revision within the connection's own transaction."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _run_patiently(
    migration: Callable[[], None], revision: str, patience_s: float
) -> None:
    """Run a transaction again for as long as it cannot get its locks."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return migration()
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) not in LOCKED_OUT:
                raise
            if time.monotonic() > deadline:
                raise MigrationBlocked(
                    revision=revision, patience_s=patience_s
                ) from error
        log().warning("migration.waits", revision=revision)
        time.sleep(PAUSE_S)


def _run_next(engine: Engine, lock_timeout_s: float) -> None:
    """Run the next migration, unless another process has run it in the meantime."""
    with engine.begin() as connection:
        connection.execute(LOCK)
        revision = _revision_after_current(connection)
        if revision:
            _limit_waits(connection, lock_timeout_s)
            upgrade(connection, revision)


def _run_back(engine: Engine, revision: str, lock_timeout_s: float) -> None:
    config = configuration()
    with engine.begin() as connection:
        connection.execute(LOCK)
        _limit_waits(connection, lock_timeout_s)
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def _limit_waits(connection: Connection, lock_timeout_s: float) -> None:
    lock_timeout_ms = round(lock_timeout_s * 1000)
    connection.execute(text(f"SET LOCAL lock_timeout = {lock_timeout_ms}"))


def _next_revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return _revision_after_current(connection)


def _revision_after_current(connection: Connection) -> str | None:
    """Return the revision after the database's present one; for an empty database the latest one.

    Raises CodeOutdated, SchemaUnreleased.
    """
    known_revisions = revisions()
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return known_revisions[-1]
    check_known(current)
    later_revisions = known_revisions[known_revisions.index(current) + 1 :]
    return later_revisions[0] if later_revisions else None


def _write_terms(engine: Engine) -> None:
    with engine.begin() as connection:
        statement = (
            update(SchemaTermsRow)
            .where(SchemaTermsRow.oldest_code != OLDEST_SERVED)
            .values(oldest_code=OLDEST_SERVED)
        )
        connection.execute(statement)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()
