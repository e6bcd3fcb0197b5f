"""What goes in comes out, and what is not whole is never taken for a backup."""

import errno
import json
import stat
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from shared.backup import NoBackup, BackupFolder, verify_backup, prune, restore, create_backup
from shared.backup.folder import PlaceBusy, PlaceOpen
from shared.backup.manifest import Manifest
from shared.backup.restore import BackupDamaged
from shared.domain.audit.verification import verify
from shared.domain.erasure import ErasureReason
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.backup.restore import DatabaseNotEmpty
from shared.ledger.schema.compatibility import CodeBehind, SchemaUnreleased, head
from shared.ledger.schema.migrate import migrate
from shared.objects import ObjectMissing
from shared.security.audit_signing import is_signed
from tests.later_release import REVISION, later_release


def trail(url: str) -> tuple[bool, int, int]:
    """Whether the trail is whole, how many events it has, and how many of them are vouched for."""
    with closing(Ledger(url, pool_size=1)) as ledger:
        read = AuditTrailReader(ledger, "test")
        seals = read.seals()
        findings = verify(read.links(), seals, is_signed)
    return findings.is_intact, sum(findings.events.values()), sum(findings.sealed.values())


def cases(url: str) -> dict[str, str | None]:
    """Each case's own number; None for an erased one."""
    with closing(Ledger(url, pool_size=1)) as ledger, ledger.engine.connect() as line:
        return {
            str(case): number
            for case, number in line.exec_driver_sql(
                "SELECT id, external_id FROM cases"
            )
        }


def test_a_restored_ledger_is_the_one_of_the_backup(
    ward, place, empty_url, fresh_objects
):
    first, _ = ward.submit(b"one")
    ward.seal()
    taken = create_backup(place, ward.source)
    late, _ = ward.submit(b"two")
    restored = restore(place, empty_url, fresh_objects)
    assert cases(empty_url) == {str(first): "case-one"}
    assert str(late) not in cases(empty_url)
    assert (restored.objects, restored.lost_objects, restored.copy_result.new) == (1, [], 1)
    whole, events, sealed = trail(empty_url)
    assert (whole, sealed) == (
        True,
        sum(int(head.split()[0]) for head in taken.manifest.heads.values()),
    )
    assert events == sealed + 1, "the restore is on record"
    with (
        closing(Ledger(empty_url, pool_size=1)) as ledger,
        ledger.hospital_session(ward.hospital, "test") as book,
    ):
        job = book.jobs.create(first, "routine")
        assert book.jobs.find(job).state == "queued"


def test_the_services_login_makes_it_and_an_owner_without_power_over_the_server_restores_it(
    ward, place, unsynced, fresh_objects
):
    """As with a PostgreSQL of one's own: neither is a superuser, and the walls stand afterwards as they did."""
    case, _ = ward.submit(b"one")
    service = (
        make_url(ward.url)
        .set(username="sera_service")
        .render_as_string(hide_password=False)
    )
    create_backup(place, replace(ward.source, database_url=service))
    owned = owned_database(unsynced)
    restore(place, owned, fresh_objects)
    assert walls(owned) == walls(ward.url)
    with (
        closing(Ledger(owned, pool_size=1)) as ledger,
        ledger.hospital_session(ward.hospital, "test") as book,
    ):
        assert book.cases.find(case)
    assert trail(owned)[0]


def test_a_second_backup_copies_what_is_new_and_says_in_the_trail_what_was_made(
    ward, place
):
    ward.submit(b"one")
    assert create_backup(place, ward.source).copy_result.new == 1
    ward.submit(b"two")
    second = create_backup(place, ward.source)
    assert (second.copy_result.new, second.copy_result.existing) == (1, 1)
    with ward.ledger.system_session("test") as house:
        said = [
            each for each in house.audit.page(limit=1000) if each.event == "backup.made"
        ]
    assert [each.details["backup"] for each in said] == place.names()


def test_nobody_but_the_owner_may_read_any_of_it(ward, place, tmp_path):
    ward.submit(b"one")
    create_backup(place, ward.source, with_keys=True)
    paths = [place.root, *place.root.rglob("*")]
    assert {path.name for path in paths} >= {
        "manifest.json",
        "audit-ed25519",
        "cases.gz",
        "withdrawn.json",
    }
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(PlaceOpen, match="chmod o="):
        create_backup(BackupFolder(tmp_path / "open"), ward.source)


def test_a_backup_that_broke_off_is_none(ward, place, monkeypatch):
    ward.submit(b"one")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as broken:
        broken.setattr("shared.backup.create.listing", full)
        with pytest.raises(OSError, match="no room"):
            create_backup(place, ward.source)
    assert place.names() == []
    with pytest.raises(NoBackup):
        verify_backup(place)
    assert verify_backup(place, create_backup(place, ward.source).name).is_intact


def test_two_backups_are_not_made_at_once(ward, place):
    with place.held(), pytest.raises(PlaceBusy):
        create_backup(place, ward.source)


@pytest.mark.parametrize("part", ["ledger/cases.gz", "objects.gz"])
def test_a_damaged_file_is_found_and_not_restored(
    ward, place, empty_url, fresh_objects, part
):
    ward.submit(b"one")
    path = create_backup(place, ward.source).folder / part
    path.write_bytes(path.read_bytes()[:-1])
    assert verify_backup(place).damaged_files == [part]
    with pytest.raises(BackupDamaged, match=part):
        restore(place, empty_url, fresh_objects)
    assert cases_or_none(empty_url) is None


def test_a_damaged_object_is_found_and_copied_anew_once_removed(ward, place):
    ward.submit(b"one")
    create_backup(place, ward.source)
    (sha256,) = place.stored()
    (path,) = place.root.rglob(sha256)
    path.write_bytes(b"other")
    assert verify_backup(place).damaged_objects == [sha256]
    path.unlink()
    create_backup(place, ward.source)
    assert verify_backup(place, place.names()[0]).is_intact


def test_a_changed_manifest_is_not_believed(ward, place):
    path = create_backup(place, ward.source).folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"missing": []}))
    with pytest.raises(Exception, match="hash is not the one"):
        verify_backup(place)


def test_what_the_store_has_lost_is_said_and_what_an_erasure_removed_meanwhile_is_not(
    ward, place
):
    erased, _ = ward.submit(b"one")
    ward.submit(b"two")
    gone, lost = (ward.objects.put(image).sha256 for image in (b"one", b"two"))
    ward.objects.delete(lost)

    def erase_when_the_ledger_was_read(
        stage: str, fraction: float, _message: str
    ) -> None:
        if (stage, fraction) == ("ledger", 1.0):
            with ward.ledger.hospital_session(ward.hospital, "north") as book:
                book.erasures.erase(erased, ErasureReason.SENT_BY_MISTAKE)
            ward.objects.delete(gone)

    taken = create_backup(place, ward.source, report_progress=erase_when_the_ledger_was_read)
    assert (taken.manifest.missing, taken.manifest.let_go) == ([lost], 1)
    assert verify_backup(place).is_intact


def test_erasures_and_revocations_of_after_the_backup_are_done_again(
    ward, place, empty_url, fresh_objects
):
    gone, _ = ward.submit(b"one")
    stays, _ = ward.submit(b"two")
    old = create_backup(place, ward.source)
    with ward.ledger.hospital_session(ward.hospital, "north") as book:
        book.erasures.erase(gone, ErasureReason.PATIENT_REQUEST)
    with ward.ledger.system_session("test") as house:
        (key,) = [key.id for key in house.api_keys.all()]
        house.api_keys.revoke(key)
    create_backup(place, ward.source)
    restored = restore(place, empty_url, fresh_objects, name=old.name)
    assert (restored.erased, restored.revoked) == (1, 1)
    assert cases(empty_url) == {str(gone): None, str(stays): "case-two"}
    with pytest.raises(ObjectMissing):
        fresh_objects.get(ward.objects.put(b"one").sha256)
    with (
        closing(Ledger(empty_url, pool_size=1)) as ledger,
        ledger.system_session("test") as house,
    ):
        assert [each.id for each in house.api_keys.all() if each.revoked_at] == [key]
    assert trail(empty_url)[0]


def test_a_database_in_use_is_left_alone(ward, place, fresh_objects):
    create_backup(place, ward.source)
    with pytest.raises(DatabaseNotEmpty):
        restore(place, ward.url, fresh_objects)


def test_a_backup_of_a_later_release_is_refused(
    ward, place, empty_url, fresh_objects, tmp_path
):
    with later_release(tmp_path / "later"):
        migrate(ward.url)
        create_backup(place, ward.source)
    with pytest.raises(CodeBehind):
        restore(place, empty_url, fresh_objects)


def test_a_backup_of_an_earlier_release_is_migrated_forward(
    ward, place, empty_url, fresh_objects, tmp_path
):
    ward.submit(b"one")
    create_backup(place, ward.source)
    with later_release(tmp_path / "later"):
        restored = restore(place, empty_url, fresh_objects)
    assert (restored.manifest.schema_revision, restored.migrated_to) == (
        head(),
        REVISION,
    )


def test_a_backup_of_before_the_first_release_is_refused_with_the_next_step(
    ward, place, empty_url, fresh_objects
):
    folder = place.folder(create_backup(place, ward.source).name)
    manifest = Manifest.read(folder)
    unreleased = manifest.model_copy(update={"schema_revision": "0023"})
    digest = unreleased.write(folder)
    folder.rename(folder.with_name(unreleased.backup_name(digest)))
    with pytest.raises(SchemaUnreleased, match="set SERA_HOME to a new folder"):
        restore(place, empty_url, fresh_objects)


def test_pruned_backups_take_with_them_what_only_they_hold(ward, place):
    gone, _ = ward.submit(b"one")
    ward.submit(b"two")
    create_backup(place, ward.source)
    with ward.ledger.hospital_session(ward.hospital, "north") as book:
        book.erasures.erase(gone, ErasureReason.PATIENT_REQUEST)
    newest = create_backup(place, ward.source).name
    dropped, objects = prune(place, keep=1)
    assert (len(dropped), objects, place.names()) == (1, 1, [newest])
    assert verify_backup(place).is_intact


def cases_or_none(url: str) -> dict | None:
    with closing(Ledger(url, pool_size=1)) as ledger, ledger.engine.connect() as line:
        there = line.exec_driver_sql("SELECT to_regclass('cases')").scalar()
    return cases(url) if there else None


def owned_database(url: str) -> str:
    """An empty database of an ordinary login that an administrator gave leave to SERA's roles."""
    name = f"owner_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as line:
        for statement in (
            f"CREATE ROLE {name} LOGIN",
            f"GRANT sera_house, sera_hospital TO {name}",
            f"CREATE DATABASE {name} OWNER {name}",
        ):
            line.exec_driver_sql(statement)
    return (
        make_url(url)
        .set(username=name, database=name)
        .render_as_string(hide_password=False)
    )


def walls(url: str) -> list[tuple]:
    """Of each table, whether row-level security holds, for the owner too, and whether all its triggers are on."""
    told = (
        "SELECT relname, relrowsecurity, relforcerowsecurity, "
        "(SELECT string_agg(tgname::text || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger "
        "WHERE tgrelid = c.oid AND NOT tgisinternal) "
        "FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname"
    )
    with closing(Ledger(url, pool_size=1)) as ledger, ledger.engine.connect() as line:
        return [tuple(row) for row in line.exec_driver_sql(told)]
