"""The initial schema: tables, functions with their triggers, roles and their privileges.

`{schema}` in the SQL files is the schema of the tables. After a release this schema is not
changed here: every later change is a separate migration.
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
    """Run the file's statements unchanged: `%` and `:` in them are not parameters."""
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    statements = (FOLDER / file).read_text(encoding="utf-8")
    connection.exec_driver_sql(
        statements.replace("{schema}", schema),
        execution_options={"no_parameters": True},
    )
