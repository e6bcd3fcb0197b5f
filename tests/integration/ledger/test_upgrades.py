"""From release to release and back, with data, and while others write."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from shared.domain.audit.verification import Findings, verify
from shared.domain.erasure import ErasureReason
from shared.ledger import Ledger
from shared.ledger.__main__ import main
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.schema.compatibility import (
    OLDEST_SERVED,
    CodeOutdated,
    SchemaOutdated,
    SchemaUnreleased,
    check_compatible,
    check_schema,
    head,
)
from shared.ledger.schema.migrate import MigrationBlocked, downgrade, migrate
from shared.ledger.schema.terms import Schema
from shared.security.audit_signing import SealKey, is_signed
from shared.settings import Settings
from tests.later_release import REVISION, later_release
from tests.support.previous_release import SCHEMA, PreviousRelease

KEY = SealKey("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "the tests")
COUNTED = ("hospitals", "cases", "jobs", "results", "audit_events")
UNRELEASED_REVISIONS = ("0001", "0019", "0023", "0025")


@pytest.fixture
def engine(database_url: str) -> Engine:
    return create_engine(database_url, poolclass=NullPool)


@pytest.fixture
def later_schema(tmp_path: Path) -> Iterator[None]:
    with later_release(tmp_path):
        yield


@pytest.fixture
def hospital(database_url: str) -> UUID:
    """Its three cases were answered, one of them was erased since; the trail is sealed."""
    with closing(Ledger(database_url, pool_size=1)) as ledger:
        with ledger.system_session("test") as session:
            hospital_id = session.hospitals.ensure("north")
        old = PreviousRelease(database_url, hospital_id)
        for _ in range(3):
            old.submit()
        assert old.work() == 3
        with ledger.engine.connect() as connection:
            case = connection.exec_driver_sql(
                "SELECT id FROM cases LIMIT 1"
            ).scalar_one()
        with ledger.hospital_session(hospital_id, "test") as session:
            session.erasures.erase(case, ErasureReason.PATIENT_REQUEST)
        with ledger.system_session("test") as session:
            session.seals.add(KEY)
    return hospital_id


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.exec_driver_sql(
                f"SELECT count(*) FROM {name}"
            ).scalar_one()
            for name in COUNTED
        }


def trail(url: str) -> Findings:
    with closing(Ledger(url, pool_size=1)) as ledger:
        exported = AuditTrailReader(ledger, "test")
        seals = exported.seals()
        return verify(exported.links(), seals, is_signed)


def set_revision(engine: Engine, revision: str, oldest_code: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"),
            {"revision": revision},
        )
        connection.execute(
            text("UPDATE schema_terms SET oldest_code = :oldest_code"),
            {"oldest_code": oldest_code},
        )


def test_a_later_release_goes_forward_and_back_with_its_rows_and_seals(
    engine, database_url, hospital, later_schema
):
    rows_before = rows(engine)
    trail_before = trail(database_url)
    assert trail_before.is_intact
    assert trail_before.sealed_numbers == trail_before.event_counts
    migrate(database_url)
    check_schema(database_url)
    downgrade(database_url, OLDEST_SERVED)
    assert rows(engine) == rows_before
    assert trail(database_url) == trail_before


def test_back_to_nothing_and_up_again_is_an_empty_ledger(
    engine, database_url, hospital
):
    downgrade(database_url, "base")
    with pytest.raises(SchemaOutdated):
        check_schema(database_url)
    migrate(database_url)
    assert set(rows(engine).values()) == {0}
    check_schema(database_url)


@contextmanager
def submitting(old: PreviousRelease) -> Iterator[tuple[list[int], Callable[[], None]]]:
    """Submits and answers without a pause: how many cases each time, and a wait for some more."""
    finished = threading.Event()
    answered: list[int] = []
    changed = threading.Condition()

    def submit_and_answer() -> None:
        while not finished.is_set():
            old.submit()
            count = old.work()
            with changed:
                answered.append(count)
                changed.notify_all()

    def wait_for_more() -> None:
        with changed:
            answers_needed = len(answered) + 5
            assert changed.wait_for(lambda: len(answered) >= answers_needed, timeout=30)

    client = threading.Thread(target=submit_and_answer)
    client.start()
    try:
        yield answered, wait_for_more
    finally:
        finished.set()
        client.join()


def test_the_release_before_submits_and_answers_while_the_schema_goes_forward_and_back(
    engine, database_url, hospital, later_schema
):
    assert SCHEMA == OLDEST_SERVED, (
        "tests/support/previous_release.py is of another release"
    )
    old = PreviousRelease(database_url, hospital)
    with submitting(old) as (answered, wait_for_more):
        wait_for_more()
        migrate(database_url)
        wait_for_more()
        downgrade(database_url, OLDEST_SERVED)
        wait_for_more()
    assert rows(engine)["results"] == 2 + len(answered) == 2 + sum(answered)
    assert trail(database_url).is_intact


def wait_for_queue(engine: Engine, table: str) -> None:
    """Wait until a transaction waits for a lock of this table."""
    with engine.connect() as connection:
        while not connection.scalar(
            text(
                "SELECT count(*) FROM pg_locks "
                "WHERE NOT granted AND relation = CAST(:table AS regclass)"
            ),
            {"table": table},
        ):
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("forward", "last_table", "first_table"),
    [(True, "hospitals", "cases"), (False, "cases", "hospitals")],
)
def test_in_a_deadlock_with_a_request_the_migration_gives_way(
    engine, database_url, forward, last_table, first_table
):
    go_back = partial(downgrade, database_url, OLDEST_SERVED)
    if forward:
        go_back()
    run = partial(migrate, database_url) if forward else go_back
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as request:
            request.exec_driver_sql(f"LOCK TABLE {last_table} IN ROW SHARE MODE")
            finished = pool.submit(run)
            wait_for_queue(engine, last_table)
            request.exec_driver_sql(f"LOCK TABLE {first_table} IN ROW SHARE MODE")
        finished.result(timeout=60)
    migrate(database_url)
    check_schema(database_url)


def test_services_of_the_release_before_begin_beside_the_later_schema(
    database_url, tmp_path
):
    with later_release(tmp_path):
        migrate(database_url)
    assert OLDEST_SERVED <= head() < REVISION
    check_schema(database_url)


def test_services_of_the_later_release_wait_for_its_migration(
    database_url, later_schema
):
    with pytest.raises(SchemaOutdated):
        check_schema(database_url)


def test_a_migration_that_cannot_lock_its_tables_gives_way_and_is_run_again(
    engine, database_url, later_schema
):
    with engine.begin() as blocker:
        blocker.execute(text("LOCK TABLE alembic_version IN SHARE MODE"))
        with pytest.raises(MigrationBlocked, match="pg_stat_activity"):
            migrate(database_url, lock_timeout_s=0.05, patience_s=0)
    with pytest.raises(SchemaOutdated):
        check_schema(database_url)
    migrate(database_url)
    check_schema(database_url)


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        (Schema(None, None), SchemaOutdated),
        (Schema(head(), OLDEST_SERVED), None),
        (Schema(REVISION, head()), None),
        (Schema(REVISION, "r9000"), CodeOutdated),
        (Schema(REVISION, None), CodeOutdated),
        (Schema(None, None, readable=False), SchemaUnreleased),
        *[
            (Schema(revision, "0019"), SchemaUnreleased)
            for revision in UNRELEASED_REVISIONS
        ],
    ],
)
def test_a_service_begins_only_on_a_schema_that_it_goes_with(schema, refused):
    with pytest.raises(refused) if refused else nullcontext():
        check_compatible(schema)


def test_migrations_of_a_later_release_are_left_alone(engine, database_url):
    set_revision(engine, REVISION, oldest_code="r9000")
    with pytest.raises(CodeOutdated):
        migrate(database_url)
    with pytest.raises(CodeOutdated):
        check_schema(database_url)


@pytest.mark.parametrize("revision", UNRELEASED_REVISIONS)
def test_a_schema_of_before_the_first_release_is_left_alone_with_the_next_step(
    engine, database_url, revision
):
    set_revision(engine, revision, oldest_code="0019")
    with pytest.raises(SchemaUnreleased):
        check_schema(database_url)
    with pytest.raises(SystemExit) as ended:
        main(["migrate"], Settings(database_url=database_url))
    sentence = str(ended.value)
    assert (revision in sentence, "set SERA_HOME to a new folder" in sentence) == (
        True,
        True,
    )
    assert "\n" not in sentence, "`./sera up` shows the last line of the job's log"


def test_a_schema_whose_revision_services_may_not_read_is_of_before_the_first_release(
    engine, database_url
):
    with engine.begin() as connection:
        connection.execute(text("REVOKE ALL ON alembic_version FROM sera_house"))
    with pytest.raises(SchemaUnreleased, match="not readable"):
        check_schema(database_url)


def test_a_service_begins_without_its_database_and_waits_for_it(tmp_path):
    check_schema(f"postgresql+psycopg2://x@/sera?host={tmp_path}")
