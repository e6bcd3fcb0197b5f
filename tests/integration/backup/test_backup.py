"""A restore gives back the backup, and an incomplete backup is never backup for one."""

import errno
import json
import stat
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from shared.backup import (
    BackupFolder,
    BackupNotFound,
    create_backup,
    prune,
    restore,
    verify_backup,
)
from shared.backup.folder import (
    BackupFolderBusy,
    BackupFolderExposed,
    BackupFolderUnwritable,
)
from shared.backup.manifest import Manifest
from shared.backup.restore import BackupDamaged
from shared.domain.audit.verification import verify
from shared.domain.erasure import ErasureReason
from shared.errors import StorageFull
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.backup.restore import DatabaseNotEmpty
from shared.ledger.schema.compatibility import CodeOutdated, SchemaUnreleased, head
from shared.ledger.schema.migrate import migrate
from shared.objects import ObjectMissing
from shared.security.audit_signing import is_signed
from tests.integration.backup.conftest import KEYS, TRUSTED
from tests.later_release import REVISION, later_release
from tests.support.database_logins import create_login

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
STORE_FULL = StorageFull(what="images and models")
STORE_FULL.__cause__ = NO_SPACE


def verify_trail(url: str) -> tuple[bool, int, int]:
    """Whether the trail is intact, the number of its events, and that of its sealed events."""
    with closing(Ledger(url, pool_size=1)) as ledger:
        reader = AuditTrailReader(ledger, "test")
        seals = reader.seals()
        findings = verify(reader.links(), seals, is_signed)
    events = sum(findings.event_counts.values())
    sealed = sum(findings.sealed_numbers.values())
    return findings.is_intact, events, sealed


def external_ids(url: str) -> dict[str, str | None]:
    """The external id of each case; None for an erased one."""
    with (
        closing(Ledger(url, pool_size=1)) as ledger,
        ledger.engine.connect() as connection,
    ):
        return {
            str(case): number
            for case, number in connection.exec_driver_sql(
                "SELECT id, external_id FROM cases"
            )
        }


def test_a_restored_ledger_is_the_one_of_the_backup(
    hospital, backups, empty_url, fresh_objects
):
    first, _ = hospital.submit(b"one")
    hospital.seal()
    backup = create_backup(backups, hospital.source)
    later_case, _ = hospital.submit(b"two")
    restored = restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)
    assert external_ids(empty_url) == {str(first): "case-one"}
    assert str(later_case) not in external_ids(empty_url)
    assert restored.object_count == 1
    assert restored.lost_objects == []
    assert restored.copy_result.new_count == 1
    is_intact, events, sealed = verify_trail(empty_url)
    heads = backup.manifest.heads.values()
    assert is_intact
    assert sealed == sum(int(head.split()[0]) for head in heads)
    assert events == sealed + 1, "the restore is on record"
    with (
        closing(Ledger(empty_url, pool_size=1)) as ledger,
        ledger.hospital_session(hospital.hospital_id, "test") as session,
    ):
        job = session.jobs.create(first, "routine")
        assert session.jobs.find(job).state == "queued"


def test_the_services_login_makes_a_backup_and_an_ordinary_owner_restores_it(
    hospital, backups, fast_engine, fresh_objects
):
    """As with an external PostgreSQL: neither is a superuser. Row-level security is restored."""
    case, _ = hospital.submit(b"one")
    service = (
        make_url(hospital.url)
        .set(username="sera_service")
        .render_as_string(hide_password=False)
    )
    create_backup(backups, replace(hospital.source, database_url=service))
    owned_url = create_owned_database(fast_engine)
    restore(backups, owned_url, fresh_objects, trusted_keys=TRUSTED)
    assert table_protection(owned_url) == table_protection(hospital.url)
    with (
        closing(Ledger(owned_url, pool_size=1)) as ledger,
        ledger.hospital_session(hospital.hospital_id, "test") as session,
    ):
        assert session.cases.find(case)
    assert verify_trail(owned_url)[0]


def test_a_second_backup_copies_new_objects_and_records_an_event(hospital, backups):
    hospital.submit(b"one")
    assert create_backup(backups, hospital.source).copy_result.new_count == 1
    hospital.submit(b"two")
    second = create_backup(backups, hospital.source)
    assert (second.copy_result.new_count, second.copy_result.existing_count) == (1, 1)
    with hospital.ledger.system_session("test") as session:
        events = [
            event
            for event in session.audit.page(limit=1000)
            if event.event == "backup.made"
        ]
    assert [event.details["backup"] for event in events] == backups.backup_names()


def test_only_the_owner_may_read_a_backup(hospital, backups, tmp_path):
    hospital.submit(b"one")
    create_backup(backups, hospital.source, with_keys=True)
    paths = [backups.root, *backups.root.rglob("*")]
    assert {path.name for path in paths} >= {
        "manifest.json",
        "audit-ed25519",
        "cases.gz",
        "withdrawn.json",
    }
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(BackupFolderExposed, match="chmod o="):
        create_backup(BackupFolder(tmp_path / "open"), hospital.source)


def test_an_interrupted_backup_does_not_count(hospital, backups, monkeypatch):
    hospital.submit(b"one")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "no answer")

    with monkeypatch.context() as patched:
        patched.setattr("shared.backup.create.write_object_list", fail)
        with pytest.raises(OSError, match="no answer"):
            create_backup(backups, hospital.source)
    assert backups.backup_names() == []
    with pytest.raises(BackupNotFound):
        verify_backup(backups)
    assert verify_backup(
        backups, create_backup(backups, hospital.source).name
    ).is_intact


@pytest.mark.parametrize(
    ("step", "full"),
    [
        ("shared.backup.create.open_compressed", NO_SPACE),
        ("shared.objects.store._spool", STORE_FULL),
    ],
)
def test_a_disk_that_becomes_full_during_a_backup_is_named(
    hospital, backups, monkeypatch, step, full
):
    hospital.submit(b"one")

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patched:
        patched.setattr(step, fail)
        with pytest.raises(BackupFolderUnwritable, match=str(backups.root)):
            create_backup(backups, hospital.source)
    assert backups.backup_names() == []
    name = create_backup(backups, hospital.source).name
    assert verify_backup(backups, name).is_intact


def test_two_backups_are_not_made_at_once(hospital, backups):
    with backups.locked(), pytest.raises(BackupFolderBusy):
        create_backup(backups, hospital.source)


@pytest.mark.parametrize("part", ["ledger/cases.gz", "objects.gz"])
def test_a_damaged_file_is_found_and_not_restored(
    hospital, backups, empty_url, fresh_objects, part
):
    hospital.submit(b"one")
    path = create_backup(backups, hospital.source).folder / part
    path.write_bytes(path.read_bytes()[:-1])
    assert verify_backup(backups).damaged_files == [part]
    with pytest.raises(BackupDamaged, match=part):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)
    assert external_ids_or_none(empty_url) is None


def test_a_damaged_object_is_found_and_copied_again_once_removed(hospital, backups):
    hospital.submit(b"one")
    create_backup(backups, hospital.source)
    (sha256,) = backups.object_hashes()
    (path,) = backups.root.rglob(sha256)
    path.write_bytes(b"other")
    assert verify_backup(backups).damaged_objects == [sha256]
    path.unlink()
    create_backup(backups, hospital.source)
    assert verify_backup(backups, backups.backup_names()[0]).is_intact


def test_a_changed_manifest_is_refused(hospital, backups):
    path = create_backup(backups, hospital.source).folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"missing": []}))
    with pytest.raises(Exception, match="hash is not the one"):
        verify_backup(backups)


def test_lost_objects_are_reported_and_objects_of_meanwhile_erased_cases_are_not(
    hospital, backups
):
    erased_case, _ = hospital.submit(b"one")
    hospital.submit(b"two")
    erased_object = hospital.objects.put(b"one").sha256
    lost_object = hospital.objects.put(b"two").sha256
    hospital.objects.delete(lost_object)

    def erase_when_the_ledger_was_read(
        stage: str, fraction: float, _message: str
    ) -> None:
        if (stage, fraction) == ("ledger", 1.0):
            with hospital.ledger.hospital_session(
                hospital.hospital_id, "north"
            ) as session:
                session.erasures.erase(erased_case, ErasureReason.SENT_BY_MISTAKE)
            hospital.objects.delete(erased_object)

    backup = create_backup(
        backups, hospital.source, report_progress=erase_when_the_ledger_was_read
    )
    assert (backup.manifest.missing, backup.manifest.let_go) == (
        [lost_object],
        1,
    )
    assert verify_backup(backups).is_intact


def test_erasures_and_revocations_after_the_backup_are_repeated(
    hospital, backups, empty_url, fresh_objects
):
    erased_case, _ = hospital.submit(b"one")
    other_case, _ = hospital.submit(b"two")
    old = create_backup(backups, hospital.source)
    with hospital.ledger.hospital_session(hospital.hospital_id, "north") as session:
        session.erasures.erase(erased_case, ErasureReason.PATIENT_REQUEST)
    with hospital.ledger.system_session("test") as session:
        (key,) = [key.id for key in session.api_keys.all()]
        session.api_keys.revoke(key)
    create_backup(backups, hospital.source)
    restored = restore(
        backups, empty_url, fresh_objects, trusted_keys=TRUSTED, name=old.name
    )
    assert (restored.erased_count, restored.revoked_count) == (1, 1)
    assert external_ids(empty_url) == {
        str(erased_case): None,
        str(other_case): "case-two",
    }
    with pytest.raises(ObjectMissing):
        fresh_objects.get(hospital.objects.put(b"one").sha256)
    with (
        closing(Ledger(empty_url, pool_size=1)) as ledger,
        ledger.system_session("test") as session,
    ):
        assert [
            api_key.id for api_key in session.api_keys.all() if api_key.revoked_at
        ] == [key]
    assert verify_trail(empty_url)[0]


def test_a_database_in_use_is_left_alone(hospital, backups, fresh_objects):
    create_backup(backups, hospital.source)
    with pytest.raises(DatabaseNotEmpty):
        restore(backups, hospital.url, fresh_objects, trusted_keys=TRUSTED)


def test_a_backup_of_a_later_release_is_refused(
    hospital, backups, empty_url, fresh_objects, tmp_path
):
    with later_release(tmp_path / "later"):
        migrate(hospital.url)
        create_backup(backups, hospital.source)
    with pytest.raises(CodeOutdated):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)


def test_a_backup_of_an_earlier_release_is_migrated_forward(
    hospital, backups, empty_url, fresh_objects, tmp_path
):
    hospital.submit(b"one")
    create_backup(backups, hospital.source)
    with later_release(tmp_path / "later"):
        restored = restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)
    assert (restored.manifest.schema_revision, restored.schema_revision) == (
        head(),
        REVISION,
    )


def test_a_backup_of_before_the_first_release_is_refused_with_the_next_step(
    hospital, backups, empty_url, fresh_objects
):
    folder = backups.backup_folder(create_backup(backups, hospital.source).name)
    manifest = Manifest.read(folder)
    unreleased = manifest.model_copy(update={"schema_revision": "0023"})
    digest = unreleased.write(folder, KEYS)
    folder.rename(folder.with_name(unreleased.backup_name(digest)))
    with pytest.raises(SchemaUnreleased, match="set SERA_HOME to a new folder"):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)


def test_pruning_removes_objects_that_only_old_backups_name(hospital, backups):
    erased_case, _ = hospital.submit(b"one")
    hospital.submit(b"two")
    create_backup(backups, hospital.source)
    with hospital.ledger.hospital_session(hospital.hospital_id, "north") as session:
        session.erasures.erase(erased_case, ErasureReason.PATIENT_REQUEST)
    newest = create_backup(backups, hospital.source).name
    removed_names, count_objects = prune(backups, keep=1)
    assert len(removed_names) == 1
    assert count_objects == 1
    assert backups.backup_names() == [newest]
    assert verify_backup(backups).is_intact


def external_ids_or_none(url: str) -> dict | None:
    with (
        closing(Ledger(url, pool_size=1)) as ledger,
        ledger.engine.connect() as connection,
    ):
        table = connection.exec_driver_sql("SELECT to_regclass('cases')").scalar()
    return external_ids(url) if table else None


def create_owned_database(url: str) -> str:
    """An empty database of an ordinary login with the right to SERA's roles."""
    name = f"owner_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        create_login(connection, name)
        for statement in (
            f"GRANT sera_house, sera_hospital TO {name}",
            f"CREATE DATABASE {name} OWNER {name}",
        ):
            connection.exec_driver_sql(statement)
    return (
        make_url(url)
        .set(username=name, database=name)
        .render_as_string(hide_password=False)
    )


def table_protection(url: str) -> list[tuple]:
    """Row-level security of each table, also for the owner, and the state of its triggers."""
    query = (
        "SELECT relname, relrowsecurity, relforcerowsecurity, "
        "(SELECT string_agg(tgname::text || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger "
        "WHERE tgrelid = c.oid AND NOT tgisinternal) "
        "FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' "
        "ORDER BY relname"
    )
    with (
        closing(Ledger(url, pool_size=1)) as ledger,
        ledger.engine.connect() as connection,
    ):
        return [tuple(row) for row in connection.exec_driver_sql(query)]
