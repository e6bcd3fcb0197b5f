"""Creates a backup while SERA serves.

An object is stored before a row names it, and no object ever changes. So a snapshot of the ledger
is read first, and then the objects that the snapshot names. Objects that erasures remove during the
backup are distinguished from lost objects.
"""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.files import file_part, open_compressed, read_lines
from shared.backup.folder import BackupFolder
from shared.backup.keys import KEYS_FOLDER, fingerprints, save_keys
from shared.backup.manifest import Manifest, ObjectsPart, TablePart
from shared.backup.objects import (
    CopyResult,
    ProgressCallback,
    copy_objects,
    ignore_progress,
    with_model_files,
)
from shared.backup.withdrawal_notes import add_to_note
from shared.domain.audit.events import Event
from shared.ledger import Ledger
from shared.ledger.backup.snapshot import Snapshot, released_objects, snapshot
from shared.objects import ObjectStore
from shared.version import VERSION

LEDGER_FOLDER = "ledger"
OBJECT_LIST_FILE = "objects.gz"


@dataclass(frozen=True)
class Source:
    """The ledger, the objects and the available keys that a backup copies."""

    database_url: str
    objects: ObjectStore
    keys: dict[str, str]


@dataclass(frozen=True)
class CreatedBackup:
    """A complete backup, and the counts of its creation."""

    name: str
    folder: Path
    manifest: Manifest
    copy_result: CopyResult


def create_backup(
    backups: BackupFolder,
    source: Source,
    *,
    with_keys: bool = False,
    report_progress: ProgressCallback = ignore_progress,
) -> CreatedBackup:
    """Create a backup.

    Raises SchemaOutdated, CodeOutdated, SchemaUnreleased, BackupFolderExposed, BackupFolderBusy,
    BackupFolderUnwritable, NoteUnreadable, SealKeyUnusable, StorageFull, Unavailable.
    """
    with backups.locked(), backups.draft() as draft:
        with snapshot(source.database_url) as moment:
            tables = _write_tables(moment, draft, report_progress)
            facts = _ledger_facts(moment)
            row_hashes = moment.object_hashes()
            model_digests = moment.model_digests()
            add_to_note(backups, moment.withdrawals(), source.keys)
        hashes = with_model_files(row_hashes, model_digests, source.objects)
        stored_hashes = set(backups.object_hashes())
        copy_result = copy_objects(
            hashes,
            source=source.objects,
            target=backups.objects,
            report_progress=report_progress,
            exists=stored_hashes.__contains__,
        )
        released: set[str] = set()
        if copy_result.missing_objects:
            released = released_objects(
                source.database_url, copy_result.missing_objects
            )
        missing = [
            sha256 for sha256 in copy_result.missing_objects if sha256 not in released
        ]
        listed_hashes = sorted(set(hashes) - released)
        objects_part = write_object_list(draft, listed_hashes, copy_result.new_count)
        if with_keys:
            save_keys(source.keys, draft / KEYS_FOLDER)
        manifest = Manifest(
            sera=VERSION,
            tables=tables,
            objects=objects_part,
            let_go=len(released),
            missing=missing,
            keys=fingerprints(source.keys),
            with_keys=with_keys,
            **facts,
        )
        name = manifest.backup_name(manifest.write(draft, source.keys))
        folder = backups.finish_draft(draft, name)
    _record_event(source.database_url, name, manifest)
    return CreatedBackup(
        name=name, folder=folder, manifest=manifest, copy_result=copy_result
    )


def read_object_hashes(folder: Path) -> list[str]:
    """Return the hashes of a backup's objects."""
    return read_lines(folder / OBJECT_LIST_FILE)


def write_object_list(draft: Path, hashes: list[str], count_new: int) -> ObjectsPart:
    path = draft / OBJECT_LIST_FILE
    with open_compressed(path) as stream:
        stream.writelines(f"{sha256}\n".encode() for sha256 in hashes)
    part = file_part(path)
    return ObjectsPart(
        count=len(hashes), new=count_new, size=part.size, sha256=part.sha256
    )


def _ledger_facts(moment: Snapshot) -> dict[str, object]:
    return {
        "at": moment.at,
        "schema_revision": moment.revision,
        "postgres": moment.server,
        "heads": moment.heads(),
    }


def _write_tables(
    moment: Snapshot, draft: Path, report_progress: ProgressCallback
) -> dict[str, TablePart]:
    (draft / LEDGER_FOLDER).mkdir()
    tables = moment.tables()
    parts = {}
    for number, (name, columns) in enumerate(tables.items(), start=1):
        path = draft / LEDGER_FOLDER / f"{name}.gz"
        with open_compressed(path) as stream:
            rows = moment.copy(name, columns, stream)
        part = file_part(path)
        parts[name] = TablePart(
            columns=columns, rows=rows, size=part.size, sha256=part.sha256
        )
        report_progress("ledger", number / len(tables), name)
    return parts


def _record_event(url: str, name: str, manifest: Manifest) -> None:
    """Record in the audit trail that all data of SERA was copied, with the hash of the manifest."""
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            session.audit.record(
                Event.BACKUP_MADE,
                backup=name,
                schema=manifest.schema_revision,
                files=manifest.objects.count,
            )
    finally:
        ledger.close()
