from concurrent.futures import ThreadPoolExecutor

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from shared.ledger.migrate import configuration, migrate
from shared.ledger.tables import Table


def test_the_migrations_make_exactly_the_tables_of_the_code(ledger):
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_migrating_twice_at_once_is_harmless(database_url):
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(migrate, [database_url] * 3)) == [None] * 3


def test_the_migrations_go_back_to_an_empty_database(database_url):
    engine = create_engine(database_url)
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        assert [name for name in engine.dialect.get_table_names(connection) if name != "alembic_version"] == []
    engine.dispose()


def test_cases_of_before_frames_could_be_chosen_keep_their_rows_and_ask_for_none(database_url):
    engine = create_engine(database_url)
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        hospital = connection.exec_driver_sql(
            "INSERT INTO hospitals (id, name) VALUES (gen_random_uuid(), 'north') RETURNING id"
        ).scalar_one()
        connection.exec_driver_sql(
            "INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, width, height, size_mm) "
            f"VALUES (gen_random_uuid(), '{hospital}', 'a', 1, 'png', 9, 9, 12)"
        )
        command.upgrade(config, "head")
        assert connection.exec_driver_sql("SELECT size_mm, frame FROM cases").all() == [(12, None)]
    engine.dispose()
