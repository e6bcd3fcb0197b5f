import pytest

from services.worker.audit_sealing import Sealer
from shared.domain.audit.chain import SYSTEM_CHAIN
from shared.domain.audit.events import Event
from shared.domain.audit.series import SERIES_CHAIN
from shared.domain.audit.verification import Fault
from shared.ledger.audit import verification
from shared.ledger.audit.verification import AuditVerifier, ChainPosition
from shared.security.audit_signing import is_signed, seal_key
from shared.settings import Settings


@pytest.fixture
def key(tmp_path):
    return seal_key(Settings(home=tmp_path))


@pytest.fixture
def north(ledger, key, monkeypatch):
    """A hospital with eleven events, sealed after the eighth. The system has two events.

    Stretches have three events. Returns the hospital's id.
    """
    monkeypatch.setattr(verification, "PAGE_EVENTS", 3)
    with ledger.system_session("test") as system:
        north = system.hospitals.ensure("north")
        system.audit.record(Event.MODEL_STORED, model="d" * 64)
        system.audit.record(Event.MODEL_STORED, model="e" * 64)
    for length in (7, 3):
        with ledger.hospital_session(north, "key:a") as session:
            for _ in range(length):
                session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
        if length == 7:
            Sealer(ledger, lambda: key).seal()
    return north


def prover(ledger, key, hospital=None):
    return AuditVerifier(
        ledger,
        "test",
        hospital,
        has_valid_signature=is_signed,
        trusted_keys=[key.public],
    )


def tamper(ledger, statement):
    with ledger.engine.begin() as line:
        line.exec_driver_sql("SET LOCAL session_replication_role = replica")
        line.exec_driver_sql(statement)


def test_every_chain_is_read_to_its_end_and_each_stretch_can_be_the_beginning(
    ledger, north, key
):
    read = list(prover(ledger, key).stretches())
    assert [stretch.findings for stretch, _ in read] == [()] * len(read)
    ends = {
        stretch.chain: (stretch.last_number, stretch.sealed_number)
        for stretch, _ in read
        if stretch.is_last
    }
    assert ends == {SYSTEM_CHAIN: (2, 2), str(north): (11, 8), SERIES_CHAIN: (1, 0)}
    assert read[-1][1] is None
    for count, (_, place) in enumerate(read[:-1], start=1):
        assert list(prover(ledger, key).stretches(place)) == read[count:]


def test_a_hospital_reads_its_own_chain_only(ledger, north, key):
    verifier = prover(ledger, key, north)
    assert {stretch.chain for stretch, _ in verifier.stretches()} == {str(north)}
    assert verifier.allows(ChainPosition(str(north)))
    assert not verifier.allows(ChainPosition(SYSTEM_CHAIN))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE audit_events SET actor = 'x' WHERE chain = '{}' AND number = 6",
            Fault.CHANGED,
        ),
        ("DELETE FROM audit_events WHERE chain = '{}' AND number = 7", Fault.REMOVED),
        ("DELETE FROM audit_events WHERE chain = '{}' AND number > 5", Fault.CUT),
        ("DELETE FROM audit_events WHERE chain = '{}'", Fault.CUT),
        (
            "UPDATE audit_checkpoints SET number = 7 WHERE chain = '{}'",
            Fault.SEAL_BROKEN,
        ),
    ],
)
def test_what_was_done_to_a_chain_is_found_across_stretches(
    ledger, north, key, statement, fault
):
    tamper(ledger, statement.format(north))
    found = {
        finding.fault
        for stretch, _ in prover(ledger, key).stretches()
        for finding in stretch.findings
    }
    assert found == {fault}


def test_many_seals_are_read_in_stretches_too(ledger, north, key, monkeypatch):
    sealer = Sealer(ledger, lambda: key)
    for _ in range(5):
        sealer.seal()
        with ledger.hospital_session(north, "key:a") as session:
            session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    monkeypatch.setattr(verification, "PAGE_SEALS", 2)
    read = [stretch for stretch, _ in prover(ledger, key, north).stretches()]
    assert [stretch.findings for stretch in read] == [()] * len(read)
    assert (read[-1].last_number, read[-1].sealed_number, read[-1].is_last) == (
        16,
        15,
        True,
    )
