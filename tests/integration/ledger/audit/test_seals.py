import base64

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from services.worker.audit_sealing import Sealer
from shared.domain.audit.chain import SYSTEM_CHAIN
from shared.domain.audit.events import Event
from shared.domain.audit.verification import Fault, verify
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.security.audit_signing import SealKey, is_signed

KEY = SealKey(base64.b64encode(b"k" * 32).decode(), "the test")


@pytest.fixture
def north(ledger):
    with ledger.system_session("test") as system:
        system.audit.record(Event.MODEL_STORED, model="d" * 64)
        return system.hospitals.ensure("north")


@pytest.fixture
def seal(ledger):
    def sealed():
        Sealer(ledger, lambda: KEY).seal()
        with ledger.system_session("test") as system:
            return system.seals.all()

    return sealed


def check(ledger):
    trail = AuditTrailReader(ledger, "test")
    return verify(trail.links(), trail.seals(), is_signed, [KEY.public])


def test_only_chains_that_have_grown_are_sealed_again(ledger, north, seal):
    assert {seal_.chain for seal_ in seal()} == {SYSTEM_CHAIN, str(north)}
    assert len(seal()) == 2
    with ledger.hospital_session(north, "test") as session:
        session.audit.record(Event.CASE_ACCEPTED)
    assert [
        (seal_.chain, seal_.seal, seal_.number)
        for seal_ in seal()
        if seal_.chain != SYSTEM_CHAIN
    ] == [
        (str(north), 1, 1),
        (str(north), 2, 2),
    ]
    assert check(ledger).is_intact
    assert check(ledger).sealed_numbers == {SYSTEM_CHAIN: 1, str(north): 2}


def test_a_hospital_is_given_the_seals_of_its_own_chain(ledger, north, seal):
    seal()
    with ledger.hospital_session(north, "test") as session:
        assert [seal_.chain for seal_ in session.seals.all()] == [str(north)]


def test_seals_can_only_be_added(ledger, north, seal):
    seal()
    for statement in (
        "UPDATE audit_checkpoints SET number = 0",
        "DELETE FROM audit_checkpoints",
    ):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            ledger.engine.begin() as connection,
        ):
            connection.execute(text(statement))


def test_what_the_owner_of_the_database_rewrites_is_named(ledger, north, seal):
    """The owner of the tables can switch off the triggers and rewrite the chain. Seals show it."""
    with ledger.hospital_session(north, "test") as session:
        for number in range(4):
            session.audit.record(Event.CASE_ACCEPTED, image=str(number))
    seal()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"DELETE FROM audit_events WHERE hospital_id = '{north}' AND number > 3"
        )
        connection.exec_driver_sql(
            "UPDATE audit_events SET actor = 'nobody' WHERE hospital_id IS NULL"
        )
    found = [
        (finding.fault, finding.chain, finding.first_number, finding.last_number)
        for finding in check(ledger).findings
    ]
    assert sorted(found) == [
        (Fault.CHANGED, SYSTEM_CHAIN, 1, 1),
        (Fault.CUT, str(north), 4, 5),
    ]


def test_while_the_database_is_away_nothing_is_sealed_and_nothing_breaks():
    away = Ledger("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with capture_logs() as log_entries:
        Sealer(away, lambda: KEY).seal()
    away.close()
    assert [seal_["event"] for seal_ in log_entries] == ["audit.unsealed"]
