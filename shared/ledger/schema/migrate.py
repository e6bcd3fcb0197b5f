"""Bring a database to the newest schema while it is in use; several processes may try at once.

Each migration is a transaction of its own; an empty database, which nobody uses, gets all in one. It waits for a lock
only so long as those who queue up behind it may wait, then lets everybody pass and tries again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

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
LOCK_TIMEOUT_S = 2.0
"""A table that a migration waits for is closed to all who come later; a client's patience is longer than this."""
PATIENCE_S = 120.0
PAUSE_S = 1.0
LOCK_NOT_AVAILABLE = "55P03"


class MigrationBlocked(SeraError):
    code = "migration-blocked"
    text = (
        "The migration {revision} could not lock its tables within {patience_s:g} s, for a transaction holds them. "
        "Nothing was changed by it. Find the transaction (`SELECT pid, xact_start, query FROM pg_stat_activity ORDER "
        "BY xact_start`), end it or wait for it, and run the migrations again."
    )


def migrate(
    url: str, *, lock_timeout_s: float = LOCK_TIMEOUT_S, patience_s: float = PATIENCE_S
) -> None:
    """Run what migrations are missing, one process at a time.

    Raises MigrationBlocked, CodeBehind, SchemaUnreleased.
    """
    with _engine(url) as engine:
        give_up = time.monotonic() + patience_s
        while missing := _next(engine):
            try:
                _step(engine, lock_timeout_s)
                give_up = time.monotonic() + patience_s
            except OperationalError as refused:
                if getattr(refused.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                    raise
                if time.monotonic() > give_up:
                    raise MigrationBlocked(
                        revision=missing, patience_s=patience_s
                    ) from refused
                log().warning("migration.waits", revision=missing)
                time.sleep(PAUSE_S)
        _say_terms(engine)


def upgrade(connection: Connection, revision: str) -> None:
    """To this revision within the connection's own transaction."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Back to this revision within the connection's own transaction; what that forgets stands in `docs/recovery.md`."""
    config = configuration()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def _step(engine: Engine, lock_timeout_s: float) -> None:
    """The next migration, unless another process was quicker."""
    with engine.begin() as connection:
        connection.execute(LOCK)
        if revision := _after(connection):
            connection.execute(
                text(f"SET LOCAL lock_timeout = {round(lock_timeout_s * 1000)}")
            )
            upgrade(connection, revision)


def _next(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return _after(connection)


def _after(connection: Connection) -> str | None:
    """The migration that follows the database's own revision, the last for an empty one.

    Raises CodeBehind, SchemaUnreleased.
    """
    known = revisions()
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return known[-1]
    check_known(current)
    later = known[known.index(current) + 1 :]
    return later[0] if later else None


def _say_terms(engine: Engine) -> None:
    with engine.begin() as connection:
        told = (
            update(SchemaTermsRow)
            .where(SchemaTermsRow.oldest_code != OLDEST_SERVED)
            .values(oldest_code=OLDEST_SERVED)
        )
        connection.execute(told)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()
