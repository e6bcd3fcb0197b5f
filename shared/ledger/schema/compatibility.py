"""Checks whether this code can work with the schema of a database.

A database stores its revision, and the oldest revision that code must know to work with it.
Therefore the services of one release can use the schema of the next release, but not of a later one
(`docs/recovery.md`).

A revision is `r` and four digits, so that revisions sort as text. Versions before the first release
had four digits only, and no migration leads from them to this schema.
"""

import re
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from shared.errors import SeraError, Unavailable
from shared.ledger.ledger import Ledger
from shared.ledger.schema.terms import Schema
from shared.observability.logs import log

MIGRATIONS = Path(__file__).parents[1] / "migrations"
OLDEST_SERVED = "r0001"
"""The schema of the previous release, whose services may work with our database.

It is raised with every release. For the first release it is the initial schema."""
UNRELEASED = re.compile(r"[0-9]{4}")
NOT_READABLE = "not readable"


class SchemaOutdated(SeraError):
    code = "schema-behind"
    text = (
        "The database has the schema {found}, and this release of SERA needs {needed}. Run the "
        "migrations first: `python -m shared.ledger migrate` as the owner of the tables; `./sera "
        "up` does so by itself."
    )


class CodeOutdated(SeraError):
    code = "code-behind"
    text = (
        "The database has the schema {found} and works with services that know {oldest} at least; "
        "this one knows {known}. Use the release of SERA that the database was migrated with."
    )


class SchemaUnreleased(SeraError):
    code = "schema-unreleased"
    text = (
        "This schema ({found}) was made by an unreleased version of SERA, before the first "
        "release, and no release can use it. If its data matter, make a backup with the version "
        "that made it, which alone can restore it; then set SERA_HOME to a new folder, or "
        "SERA_DATABASE_URL to an empty database."
    )


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def revisions() -> tuple[str, ...]:
    """The revisions that this code knows, oldest first."""
    directory = ScriptDirectory.from_config(configuration())
    newest_first = [script.revision for script in directory.walk_revisions()]
    return tuple(reversed(newest_first))


def head() -> str:
    return revisions()[-1]


def check_known(revision: str) -> None:
    """Raise SchemaUnreleased, or CodeOutdated if the revision is of a later release."""
    _check_released(revision)
    if revision not in revisions():
        raise CodeOutdated(found=revision, oldest=revision, known=head())


def check_compatible(schema: Schema) -> str:
    """The revision, if this code can work with it.

    Raises SchemaOutdated, CodeOutdated, SchemaUnreleased.
    """
    if not schema.readable:
        raise SchemaUnreleased(found=NOT_READABLE)
    if schema.revision is None:
        raise SchemaOutdated(found="none", needed=head())
    _check_released(schema.revision)
    if schema.revision not in revisions():
        oldest = schema.oldest_code or schema.revision
        if oldest > head():
            raise CodeOutdated(found=schema.revision, oldest=oldest, known=head())
    elif schema.revision != head():
        raise SchemaOutdated(found=schema.revision, needed=head())
    return schema.revision


def check_schema(url: str) -> None:
    """Check the schema before a service starts.

    If the database is unavailable, the service starts without the check, and waits for the
    database.
    """
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("start") as session:
            schema = session.schema_terms.read()
        check_compatible(schema)
    except Unavailable as error:
        log().warning("schema.not-checked", problem=str(error))
    finally:
        ledger.close()


def _check_released(revision: str) -> None:
    if UNRELEASED.fullmatch(revision):
        raise SchemaUnreleased(found=revision)
