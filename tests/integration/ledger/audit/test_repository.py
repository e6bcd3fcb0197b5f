from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.domain.audit.chain import NO_PREVIOUS_HASH, SYSTEM_CHAIN
from shared.domain.audit.events import Event
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.repository import AuditEntry

AWKWARD = {
    "text": 'quote " backslash \\ newline \n bell \x07 é 猫 \U0001f600',
    "numbers": [1e22, 1e-7, -0.0, 3],
}


@pytest.fixture
def hospitals(ledger):
    with ledger.system_session("test") as system:
        return [system.hospitals.ensure(name) for name in ("north", "south", "west")]


@pytest.fixture
def links(ledger):
    def read():
        return list(AuditTrailReader(ledger, "test").links())

    return read


def test_every_chain_begins_at_one_and_holds_together(ledger, hospitals, links):
    with ledger.system_session("test") as system:
        system.audit.record_all(
            AuditEntry(Event.JOB_DONE, hospital, details=AWKWARD)
            for hospital in hospitals * 5
        )
        system.audit.record(Event.MODEL_STORED, model="d" * 64)
    chains = {}
    for link in links():
        assert link.computed_hash == link.hash
        chains.setdefault(link.chain, []).append(link)
    assert {chain: len(events) for chain, events in chains.items()} == {
        SYSTEM_CHAIN: 1,
        **{str(hospital): 6 for hospital in hospitals},
    }
    for events in chains.values():
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert events[0].previous == NO_PREVIOUS_HASH
        assert all(
            link.previous == previous.hash for previous, link in pairwise(events)
        )


def test_many_writers_of_the_same_chains_leave_no_gap_and_no_deadlock(
    ledger, hospitals, links
):
    def write(turn):
        order = hospitals if turn % 2 else hospitals[::-1]
        with ledger.system_session("test") as system:
            system.audit.record_all(
                AuditEntry(Event.JOB_DONE, hospital) for hospital in order * 2
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    numbers = {str(hospital): [] for hospital in hospitals}
    for link in links():
        assert link.computed_hash == link.hash
        numbers[link.chain].append((link.number, link.at))
    for found in numbers.values():
        assert [number for number, _ in found] == list(range(1, 82))
        assert sorted(found, key=lambda event: event[1]) == found


def test_who_holds_a_hospitals_row_and_then_writes_of_it_waits_in_no_circle(
    ledger, hospitals, links
):
    def write():
        with ledger.hospital_session(hospitals[0], "another") as session:
            session.audit.record(Event.CASE_ACCEPTED)

    with ThreadPoolExecutor(1) as pool:
        with ledger.system_session("holder") as system:
            system.hospitals.change(hospitals[0], {"prevalence": 0.2})
            system.hospitals._session.execute(text("SELECT FROM hospitals FOR UPDATE"))
            writer = pool.submit(write)
            waiting = (
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            with ledger.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as watching:
                while not watching.exec_driver_sql(waiting).scalar():
                    assert not writer.done()
        writer.result()
    assert [link.actor for link in links() if link.chain == str(hospitals[0])] == [
        "test",
        "holder",
        "another",
    ]


def test_what_is_rolled_back_leaves_no_gap(ledger, hospitals, links):
    def fail():
        with ledger.hospital_session(hospitals[0], "test") as session:
            session.audit.record(Event.CASE_ACCEPTED)
            assert session.audit.page(limit=1000)[-1].event == Event.CASE_ACCEPTED
            raise ZeroDivisionError

    earlier_links = links()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert links() == earlier_links


def test_a_pager_never_misses_an_event_of_its_hospital(ledger, hospitals):
    with ledger.system_session("test") as system:
        system.audit.record_all(
            AuditEntry(Event.JOB_DONE, hospital) for hospital in hospitals * 3
        )
    with ledger.hospital_session(hospitals[0], "test") as session:
        numbers = [event.number for event in session.audit.page()]
    assert numbers == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
    ],
)
def test_the_trail_can_only_grow(ledger, hospitals, statement):
    with (
        pytest.raises(DBAPIError, match="append-only"),
        ledger.engine.begin() as connection,
    ):
        connection.execute(text(statement))


def test_a_writer_cannot_choose_its_place_or_its_time(ledger, links):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_events (actor, event, at, chain, number, previous, hash) "
            "VALUES ('x', 'job.done', '2001-01-01', 'other', 77, 'p', 'h')"
        )
    (link,) = links()
    assert link.computed_hash == link.hash
    assert (link.chain, link.number, link.previous) == (
        SYSTEM_CHAIN,
        1,
        NO_PREVIOUS_HASH,
    )
    assert link.at > "2002"


@pytest.mark.parametrize(
    "actor", [AWKWARD["text"], "\x01\x1f\x7f\x80\u2028\ufeff\uffff", "</script>&'"]
)
def test_any_text_is_hashed_alike_by_the_database_and_by_who_proves_it(
    ledger, links, actor
):
    with ledger.system_session(actor) as system:
        system.audit.record(Event.RUN_DONE, run=actor)
    (link,) = links()
    assert (link.actor, link.computed_hash) == (actor, link.hash)


def test_a_read_is_recorded_once_for_each_reader(ledger, submit):
    job = submit()
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
    for actor in ("key:a", "key:b", "key:a"):
        with ledger.hospital_session(hospital, actor) as session:
            case = session.jobs.find(job).case_id
            session.audit.record_reads(Event.RESULT_READ, [(case, job)])
            session.audit.record_reads(Event.CASE_READ, [(case, None)])
    with ledger.hospital_session(hospital, "test") as session:
        reads = [
            (event.event, event.actor)
            for event in session.audit.page()
            if event.event.endswith(".read")
        ]
    details = [
        (event, key)
        for key in ("key:a", "key:b")
        for event in ("result.read", "case.read")
    ]
    assert reads == details
