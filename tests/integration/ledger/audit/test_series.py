"""The chain cannot be rewritten by the owner of the tables unseen."""

import base64
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.worker.audit_sealing import Sealer
from shared.domain.audit.chain import Link
from shared.domain.audit.events import Event
from shared.domain.audit.series import SERIES_CHAIN, Head, SeriesSeal, Witness
from shared.domain.audit.verification import Fault
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.verification import AuditVerifier
from shared.ledger.audit.whole_trail import verify_whole_trail
from shared.objects import open_store
from shared.security.audit_signing import SealKey, is_signed
from shared.security.last_seal import last_seal_places, read_witnesses
from shared.settings import Settings

KEY = SealKey(base64.b64encode(b"k" * 32).decode(), "the test")
FOREIGN = SealKey(base64.b64encode(b"f" * 32).decode(), "the test")
HOUR = timedelta(hours=1)


@pytest.fixture
def places(tmp_path):
    objects = open_store((tmp_path / "objects").as_uri())
    return last_seal_places(Settings(home=tmp_path / "home"), objects)


@pytest.fixture
def sealer(ledger, places):
    return Sealer(ledger, lambda: KEY, places)


@pytest.fixture
def north(ledger, sealer):
    """A hospital whose events were sealed three times."""
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
    for _ in range(3):
        with ledger.hospital_session(hospital, "key:a") as session:
            session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
        sealer.seal()
    return hospital


def as_owner(ledger, *statements):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)


def rewrite(ledger, hospital):
    """Change the second event and hash every later one again, as the owner of the tables can."""
    with ledger.system_session("test") as session:
        links = session.audit.stretch(str(hospital), 0, 100)
    previous = links[0].hash
    statements = []
    for link in links[1:]:
        changed = Link(**{**vars(link), "actor": "nobody", "previous": previous})
        previous = changed.computed_hash
        statements.append(
            f"UPDATE audit_events SET actor = 'nobody', previous = '{changed.previous}', "
            f"hash = '{previous}' WHERE chain = '{hospital}' AND number = {link.number}"
        )
    as_owner(ledger, *statements)


def find(ledger, places=(), witnesses=(), max_wait=HOUR, trusted=(KEY.public,)):
    return verify_whole_trail(
        AuditTrailReader(ledger, "test"),
        is_signed,
        trusted_keys=trusted,
        witnesses=[*witnesses, *read_witnesses(places)],
        max_wait=max_wait,
    )


def faults(findings):
    return {(finding.fault, finding.chain) for finding in findings.findings}


def faults_in_stretches(ledger, places):
    verifier = AuditVerifier(
        ledger,
        "test",
        has_valid_signature=is_signed,
        trusted_keys=[KEY.public],
        witnesses=read_witnesses(places),
    )
    return {
        (finding.fault, finding.chain)
        for stretch, _ in verifier.stretches()
        for finding in stretch.findings
    }


def last_witness(ledger):
    with ledger.system_session("test") as session:
        return session.seals.last_of_series().witness


def test_the_series_covers_all_chains_and_its_last_seal_is_in_both_places(
    ledger, north, places
):
    findings = find(ledger, places)
    assert findings.is_intact
    assert findings.sealed_numbers == findings.event_counts
    assert faults_in_stretches(ledger, places) == set()
    witness = last_witness(ledger)
    assert witness.number == 3
    assert [str(kept) for kept in read_witnesses(places)] == [str(witness)] * 2


def test_what_was_rewritten_and_its_seals_deleted_is_named_and_not_sealed_anew(
    ledger, north, sealer, places
):
    """The attack: change an event, hash again, delete the seals; the service seals it anew."""
    rewrite(ledger, north)
    as_owner(
        ledger,
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_heads",
        "DELETE FROM audit_seals",
    )
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]
    assert (Fault.SEALS_CUT, SERIES_CHAIN) in faults(find(ledger, places))
    assert (Fault.SEALS_CUT, SERIES_CHAIN) in faults_in_stretches(ledger, places)


def test_what_was_rewritten_and_sealed_with_a_foreign_key_is_not_sealed_over(
    ledger, north, sealer, places
):
    rewrite(ledger, north)
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="b" * 64)
    with ledger.system_session("test") as session:
        newest = session.audit.stretch(str(north), 0, 100)[-1]
        last = session.seals.last_of_series()
    seal = SeriesSeal(
        number=last.number + 1,
        at=last.at,
        heads=(Head(newest.chain, newest.number, newest.hash),),
        previous=last.computed_hash,
        key=FOREIGN.public,
    )
    as_owner(
        ledger,
        f"INSERT INTO audit_seals (number, at, previous, key, signature) VALUES "
        f"({seal.number}, '{seal.at}', '{seal.previous}', '{seal.key}', "
        f"'{FOREIGN.sign(seal.signed_bytes)}')",
        f"INSERT INTO audit_heads (series, chain, number, hash) VALUES "
        f"({seal.number}, '{newest.chain}', {newest.number}, '{newest.hash}')",
    )
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]
    assert (Fault.REWRITTEN, str(north)) in faults(find(ledger, places))
    assert (Fault.SEAL_UNTRUSTED, SERIES_CHAIN) in faults(find(ledger, places))


def test_seals_of_an_earlier_key_hold_beside_those_of_the_present_one(
    ledger, north, places
):
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="b" * 64)
    Sealer(ledger, lambda: FOREIGN, places).seal()
    both = (KEY.public, FOREIGN.public)
    assert find(ledger, places, trusted=both).is_intact
    assert (Fault.SEAL_UNTRUSTED, SERIES_CHAIN) in faults(
        find(ledger, places, trusted=(FOREIGN.public,))
    )


def test_a_series_begun_anew_by_who_has_the_key_differs_from_the_witness(
    ledger, north, places
):
    witness = last_witness(ledger)
    rewrite(ledger, north)
    as_owner(
        ledger,
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_heads",
        "DELETE FROM audit_seals",
    )
    Sealer(ledger, lambda: KEY).seal()
    assert faults(find(ledger)) == set(), "nothing inside the database shows it"
    assert faults(find(ledger, witnesses=[witness])) == {
        (Fault.SEALS_CUT, SERIES_CHAIN)
    }
    for _ in range(3):
        with ledger.hospital_session(north, "key:a") as session:
            session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
        Sealer(ledger, lambda: KEY).seal()
    assert faults(find(ledger, places)) == {(Fault.SEALS_REWRITTEN, SERIES_CHAIN)}


def test_rewritten_events_are_not_sealed_over(ledger, north, sealer):
    rewrite(ledger, north)
    as_owner(ledger, "DELETE FROM audit_checkpoints")
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    before = last_witness(ledger)
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]
    assert last_witness(ledger) == before
    assert (Fault.REWRITTEN, str(north)) in faults(find(ledger))
    assert (Fault.REWRITTEN, str(north)) in faults_in_stretches(ledger, ())


def test_a_chain_that_was_removed_with_its_seals_is_named(ledger, north):
    as_owner(
        ledger,
        f"DELETE FROM audit_events WHERE chain = '{north}'",
        f"DELETE FROM audit_checkpoints WHERE chain = '{north}'",
    )
    assert faults(find(ledger)) == {(Fault.CUT, str(north))}
    assert faults_in_stretches(ledger, ()) == {(Fault.CUT, str(north))}


def test_heads_that_were_removed_with_their_chain_break_the_series(ledger, north):
    as_owner(
        ledger,
        f"DELETE FROM audit_events WHERE chain = '{north}'",
        f"DELETE FROM audit_checkpoints WHERE chain = '{north}'",
        f"DELETE FROM audit_heads WHERE chain = '{north}'",
    )
    assert (Fault.SEAL_BROKEN, SERIES_CHAIN) in faults(find(ledger))
    assert (Fault.SEAL_BROKEN, SERIES_CHAIN) in faults_in_stretches(ledger, ())


def test_a_tail_that_was_removed_with_its_seals_is_named_by_the_last_seal(
    ledger, north, sealer, places
):
    as_owner(
        ledger,
        f"DELETE FROM audit_events WHERE chain = '{north}' AND number > 2",
        f"DELETE FROM audit_checkpoints WHERE chain = '{north}' AND number > 2",
        "DELETE FROM audit_heads WHERE series > 1",
        "DELETE FROM audit_seals WHERE number > 1",
    )
    assert faults(find(ledger)) == set()
    assert faults(find(ledger, places)) == {(Fault.SEALS_CUT, SERIES_CHAIN)}
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]


def test_seals_signed_again_with_a_foreign_key_are_not_trusted(ledger, north, places):
    as_owner(
        ledger,
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_heads",
        "DELETE FROM audit_seals",
    )
    Sealer(ledger, lambda: FOREIGN).seal()
    assert faults(find(ledger)) == {
        (Fault.SEAL_UNTRUSTED, SERIES_CHAIN),
        (Fault.SEAL_UNTRUSTED, str(north)),
    }
    assert (Fault.SEALS_CUT, SERIES_CHAIN) in faults(find(ledger, places))


def test_events_without_a_seal_of_their_time_are_named(ledger, north):
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    assert find(ledger).late_seals == ()
    as_owner(
        ledger,
        "UPDATE audit_checkpoints SET at = at + interval '2 hours' WHERE number = 3",
        "UPDATE audit_seals SET at = at + interval '2 hours' WHERE number = 2",
        "UPDATE audit_events SET at = at - interval '2 hours' WHERE number = 5",
    )
    late_seals = find(ledger).late_seals
    assert [
        (late.first_number, late.last_number, late.sealed_at is None)
        for late in late_seals
    ] == [(3, 3, False), (5, 5, True)]
    assert "have no seal of their time" in late_seals[0].sentence


def test_a_place_with_something_else_in_it_is_named(ledger, north, places, tmp_path):
    (tmp_path / "home" / "keys" / "audit-last-seal").write_text("no witness")
    with capture_logs() as entries:
        Sealer(ledger, lambda: KEY, places).seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]


def test_an_older_line_in_a_place_is_no_obstacle(ledger, north, places, sealer):
    with ledger.system_session("test") as session:
        older = session.seals.find_in_series(1).witness
    places[0].write(older)
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    sealer.seal()
    assert {witness.number for witness in read_witnesses(places)} == {4}
    assert find(ledger, witnesses=[older]).is_intact


def test_a_witness_is_one_line_that_is_read_again(ledger, north):
    witness = last_witness(ledger)
    assert "\n" not in str(witness)
    parsed = Witness.parse(f" {witness}\n", witness.place)
    assert parsed == witness


def test_the_series_begins_over_seals_of_the_release_before(ledger, north):
    """Its workers seal single chains, beside the newer schema, too."""
    as_owner(ledger, "DELETE FROM audit_heads", "DELETE FROM audit_seals")
    trail = AuditTrailReader(ledger, "test")
    seals_before = trail.seals()
    Sealer(ledger, lambda: KEY).seal()
    assert trail.seals() == seals_before
    (seal,) = trail.series()
    assert {head.chain for head in seal.heads} == {str(north)}
    assert find(ledger).is_intact


def test_a_place_that_cannot_be_written_keeps_no_other_from_it(
    ledger, north, places, tmp_path, sealer
):
    """As with a home that may only be read."""
    (tmp_path / "home" / "keys" / ".audit-last-seal.new").mkdir()
    with ledger.hospital_session(north, "key:a") as session:
        session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries if entry["log_level"] == "warning"] == [
        "audit.last-seal-not-kept"
    ]
    assert {witness.number for witness in read_witnesses(places)} == {3, 4}
    assert find(ledger, places).is_intact
