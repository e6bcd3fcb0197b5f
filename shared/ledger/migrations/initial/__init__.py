"""The initial schema, by noun: tables, functions with their triggers, who sees what.

`{schema}` in the SQL files is the schema that the tables lie in. A released schema is not changed
here: what comes later is a migration of its own.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from shared.ledger.migrations.initial.roles import create_roles
from shared.ledger.migrations.initial.row_level_security import protect_rows

FOLDER = Path(__file__).parent
TABLES = (
    "hospitals",
    "people",
    "audit",
    "cases",
    "jobs",
    "datasets",
    "training",
    "models",
    "reader_studies",
    "schema_terms",
)
"""In the order of their foreign keys."""
FUNCTIONS = (
    "append_only",
    "audit_chain",
    "erasure",
    "reader_studies",
    "queue_position",
    "key_authentication",
)


def create() -> None:
    create_roles()
    for name in TABLES:
        _execute(f"tables/{name}.sql")
    for name in FUNCTIONS:
        _execute(f"functions/{name}.sql")
    protect_rows()
    _execute("privileges.sql")


def drop() -> None:
    _execute("drop.sql")


def _execute(file: str) -> None:
    """The file's statements, sent as they are: no `%` or `:` in them is a parameter."""
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    statements = (FOLDER / file).read_text(encoding="utf-8")
    connection.exec_driver_sql(
        statements.replace("{schema}", schema),
        execution_options={"no_parameters": True},
    )
