import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from services.api.cases.schemas import links
from shared.ledger import Ledger
from shared.ledger.schema.migrate import configuration, migrate
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
        assert [
            name
            for name in engine.dialect.get_table_names(connection)
            if name != "alembic_version"
        ] == []
    engine.dispose()


def test_cases_of_before_frames_could_be_chosen_keep_their_rows_and_ask_for_none(
    database_url,
):
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
        assert connection.exec_driver_sql("SELECT size_mm, frame FROM cases").all() == [
            (12, None)
        ]
    engine.dispose()


def test_receipts_of_before_whole_answers_were_kept_answer_still(database_url):
    engine = create_engine(database_url)
    hospital = uuid4()
    case = uuid4()
    job = uuid4()
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        for statement in (
            f"INSERT INTO hospitals (id, name) VALUES ('{hospital}', 'north')",
            "INSERT INTO cases (id, hospital_id, image_sha256, image_bytes, image_format, width, height, size_mm) "
            f"VALUES ('{case}', '{hospital}', 'a', 1, 'png', 9, 9, 12)",
            f"INSERT INTO jobs (id, case_id, hospital_id) VALUES ('{job}', '{case}', '{hospital}')",
            "INSERT INTO receipts (hospital_id, key, fingerprint, case_id, job_id) "
            f"VALUES ('{hospital}', 'k', 'body', '{case}', '{job}')",
        ):
            connection.exec_driver_sql(statement)
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
    opened = Ledger(database_url)
    with opened.hospital_session(hospital, "test") as book:
        answer = book.receipts.find("k", "body")
    opened.close()
    assert (answer.status, answer.headers["location"], answer.case) == (
        202,
        f"/v1/jobs/{job}",
        case,
    )
    before = {name: link for name, link in links(case, job).items() if name != "image"}
    told = {
        "case_id": str(case),
        "job_id": str(job),
        "state": "queued",
        "links": before,
    }
    assert json.loads(answer.body) == told
