"""Which schema this code knows, and whether it may work with the one that a database has.

A database says its revision, and the revision that code must know at least to work with it. So the services of one
release go on beside the schema of the next one, for that one release (`docs/recovery.md`).
"""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from shared.errors import SeraError, Unavailable
from shared.ledger.ledger import Ledger
from shared.ledger.schema.terms import Schema
from shared.observability.logs import log

MIGRATIONS = Path(__file__).parents[1] / "migrations"
OLDEST_SERVED = "0019"
"""The schema of the release before this one: services that know it may work beside ours. Raised with every release."""


class SchemaBehind(SeraError):
    code = "schema-behind"
    text = (
        "The database has the schema {found}, and this release of SERA needs {needed}. Run the migrations first: "
        "`python -m shared.ledger migrate` as the owner of the tables; `./sera up` does so by itself."
    )


class CodeBehind(SeraError):
    code = "code-behind"
    text = (
        "The database has the schema {found} and works with services that know {oldest} at least; this one knows "
        "{known}. Use the release of SERA that the database was migrated with."
    )


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def revisions() -> tuple[str, ...]:
    """Those that this code knows, the oldest first."""
    scripts = ScriptDirectory.from_config(configuration())
    return tuple(each.revision for each in scripts.walk_revisions())[::-1]


def head() -> str:
    return revisions()[-1]


def check(schema: Schema) -> str:
    """The revision. Raises SchemaBehind or CodeBehind unless this code may work with such a database."""
    if schema.revision is None:
        raise SchemaBehind(found="none, or an early one", needed=head())
    if schema.revision not in revisions():
        oldest = schema.oldest_code or schema.revision
        if oldest > head():
            raise CodeBehind(found=schema.revision, oldest=oldest, known=head())
    elif schema.revision != head():
        raise SchemaBehind(found=schema.revision, needed=head())
    return schema.revision


def check_schema(url: str) -> None:
    """What a service asks before it begins; while the database is away it begins, and waits as it always does."""
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("start") as session:
            found = session.terms.read()
        check(found)
    except Unavailable as away:
        log().warning("schema.not-checked", problem=str(away))
    finally:
        ledger.close()
