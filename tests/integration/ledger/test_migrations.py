from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, NullPool, create_engine, text

from shared.ledger.migrations.initial.row_level_security import POLICIES
from shared.ledger.schema.compatibility import check_schema, revisions
from shared.ledger.schema.migrate import downgrade, migrate
from shared.ledger.tables import Table

LEFT = text(
    """
    SELECT relname::text FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relname !~ '^alembic_version'
    UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT 'default privileges' FROM pg_default_acl
    """
)
"""What a schema is made of, but for the row in which Alembic notes the revision."""
PROTECTED = text(
    """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relforcerowsecurity AND relrowsecurity
    """
)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return create_engine(database_url, poolclass=NullPool)


def test_the_migrations_make_exactly_the_tables_of_the_code(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_every_table_with_rows_of_a_hospital_is_under_row_level_security(engine):
    of_hospitals = {
        name
        for name, table in Table.metadata.tables.items()
        if "hospital_id" in table.columns
    }
    with engine.connect() as connection:
        protected = set(connection.scalars(PROTECTED))
    assert of_hospitals <= protected
    assert protected == {
        *POLICIES,
        "reader_levels",
        "previews",
        "preview_outlines",
    }


def test_several_processes_that_make_the_schema_at_once_make_it_once(
    engine, database_url
):
    downgrade(database_url, "base")
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(migrate, [database_url] * 3)) == [None] * 3
    check_schema(database_url)


def test_the_migrations_go_back_to_an_empty_database(engine, database_url):
    downgrade(database_url, "base")
    with engine.connect() as connection:
        assert connection.scalars(LEFT).all() == []


def test_a_later_revision_is_greater_as_text():
    assert list(revisions()) == sorted(revisions())
    assert all(revision.startswith("r") for revision in revisions())
