"""From release to release and back, with data, and while others write."""

import threading
from contextlib import closing, nullcontext
from uuid import UUID

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from shared.domain.audit.verification import Findings, verify
from shared.domain.erasure import Ground
from shared.ledger import Ledger
from shared.ledger.audit.export import Trail
from shared.ledger.schema.compatibility import (
    OLDEST_SERVED,
    CodeBehind,
    SchemaBehind,
    check,
    check_schema,
    head,
    revisions,
)
from shared.ledger.schema.migrate import MigrationBlocked, downgrade, migrate, upgrade
from shared.ledger.schema.terms import Schema
from shared.security.audit_signing import SealKey, signed
from tests.support.previous_release import SCHEMA, PreviousRelease

KEY = SealKey("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "the tests")
KEPT = ("hospitals", "cases", "jobs", "results", "audit_events")


@pytest.fixture
def engine(database_url: str) -> Engine:
    return create_engine(database_url, poolclass=NullPool)


@pytest.fixture
def hospital(database_url: str) -> UUID:
    """Of one whose three cases were answered, one of them erased since; the trail is sealed."""
    with closing(Ledger(database_url, pool_size=1)) as ledger:
        with ledger.system_session("test") as house:
            found = house.hospitals.ensure("north")
        old = PreviousRelease(database_url, found)
        for _ in range(3):
            old.submit()
        assert old.work() == 3
        with ledger.engine.connect() as line:
            first = line.exec_driver_sql("SELECT id FROM cases LIMIT 1").scalar_one()
        with ledger.hospital_session(found, "test") as book:
            book.erasures.erase(first, Ground.PATIENT_REQUEST)
        with ledger.system_session("test") as house:
            house.seals.add(KEY)
    return found


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as line:
        return {
            name: line.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in KEPT
        }


def trail(url: str) -> Findings:
    with closing(Ledger(url, pool_size=1)) as ledger:
        read = Trail(ledger, "test")
        seals = read.seals()
        return verify(read.links(), seals, signed)


def to(engine: Engine, revision: str) -> None:
    with engine.begin() as line:
        (upgrade if revision in ("head", head()) else downgrade)(line, revision)


def test_the_newest_release_goes_back_and_forth_with_its_seals(
    engine, database_url, hospital
):
    before = trail(database_url)
    assert before.whole
    assert before.sealed == before.events
    to(engine, OLDEST_SERVED)
    to(engine, "head")
    assert trail(database_url) == before


@pytest.mark.long
def test_cases_results_and_events_go_all_the_way_back_and_forth(
    engine, database_url, hospital
):
    """Below 0004 there were no chains: they are made anew on the way up, and no seal vouches for them."""
    before = rows(engine)
    events = sum(trail(database_url).events.values())
    for revision in revisions()[-2::-1]:
        to(engine, revision)
    assert rows(engine) == before
    to(engine, "head")
    assert rows(engine) == before
    after = trail(database_url)
    assert (after.whole, sum(after.events.values()), sum(after.sealed.values())) == (
        True,
        events,
        0,
    )
    with engine.connect() as line:
        erased = line.exec_driver_sql(
            "SELECT count(*) FROM cases WHERE erased_at IS NOT NULL"
        ).scalar_one()
    assert erased == 0, (
        "below 0010 nobody knew of erasures: the case is empty, and no tombstone any more"
    )


@pytest.mark.long
def test_back_to_nothing_and_up_again_is_an_empty_ledger(
    engine, database_url, hospital
):
    to(engine, "base")
    migrate(database_url)
    assert set(rows(engine).values()) == {0}
    check_schema(database_url)


def test_the_release_before_submits_and_answers_while_the_newest_migrations_run(
    engine, database_url, hospital
):
    assert SCHEMA == OLDEST_SERVED, (
        "tests/support/previous_release.py is of another release"
    )
    to(engine, OLDEST_SERVED)
    old = PreviousRelease(database_url, hospital)
    over = threading.Event()
    told = []
    counted = threading.Condition()

    def submit_and_answer() -> None:
        while not over.is_set():
            old.submit()
            with counted:
                told.append(old.work())
                counted.notify_all()

    def some_more() -> None:
        with counted:
            wanted = len(told) + 5
            assert counted.wait_for(lambda: len(told) >= wanted, timeout=30)

    client = threading.Thread(target=submit_and_answer)
    client.start()
    try:
        some_more()
        migrate(database_url)
        some_more()
    finally:
        over.set()
        client.join()
    assert rows(engine)["results"] == 2 + len(told) == 2 + sum(told)
    assert trail(database_url).whole


def test_a_migration_that_cannot_lock_its_tables_gives_way_and_is_run_again(
    engine, database_url
):
    to(engine, OLDEST_SERVED)
    with engine.begin() as other:
        other.execute(text("LOCK TABLE alembic_version IN SHARE MODE"))
        with pytest.raises(MigrationBlocked, match="pg_stat_activity"):
            migrate(database_url, lock_timeout_s=0.05, patience_s=0)
    with pytest.raises(SchemaBehind):
        check_schema(database_url)
    migrate(database_url)
    check_schema(database_url)


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        (Schema(None, None), SchemaBehind),
        (Schema(OLDEST_SERVED, None), SchemaBehind),
        (Schema(head(), OLDEST_SERVED), None),
        (Schema("9001", head()), None),
        (Schema("9001", "9000"), CodeBehind),
        (Schema("9001", None), CodeBehind),
    ],
)
def test_a_service_begins_only_on_a_schema_that_it_goes_with(schema, refused):
    with pytest.raises(refused) if refused else nullcontext():
        check(schema)


def test_migrations_of_a_later_release_are_left_alone(engine, database_url):
    with engine.begin() as line:
        line.execute(text("UPDATE alembic_version SET version_num = '9001'"))
        line.execute(text("UPDATE schema_terms SET oldest_code = '9000'"))
    with pytest.raises(CodeBehind):
        migrate(database_url)
    with pytest.raises(CodeBehind):
        check_schema(database_url)


def test_a_service_begins_without_its_database_and_waits_for_it(tmp_path):
    check_schema(f"postgresql+psycopg2://x@/sera?host={tmp_path}")
