"""Making a backup while SERA serves.

An object is in the store before a row names it, and no object ever changes. So the ledger is read first, at one moment,
and then the objects that it names at that moment; what erasures remove meanwhile is told apart from what is lost.
"""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.files import read_lines, file_part, open_compressed
from shared.backup.folder import BackupFolder
from shared.backup.keys import FOLDER, fingerprints, save_keys
from shared.backup.manifest import Manifest, ObjectsPart, TablePart
from shared.backup.objects import CopyResult, ProgressCallback, copy_objects, ignore_progress, with_model_files
from shared.backup.withdrawal_notes import add_to_note
from shared.domain.audit.events import Event
from shared.ledger import Ledger
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.backup.snapshot import Snapshot, released_objects, snapshot
from shared.objects import ObjectStore
from shared.version import VERSION

LEDGER = "ledger"
OBJECTS = "objects.gz"


@dataclass(frozen=True)
class Source:
    """What is backed up: a ledger, its objects, and the keys that are here."""

    database_url: str
    objects: ObjectStore
    keys: dict[str, str]


@dataclass(frozen=True)
class CreatedBackup:
    """A backup that is whole, and what making it took."""

    name: str
    folder: Path
    manifest: Manifest
    copy_result: CopyResult


def create_backup(
    place: BackupFolder,
    source: Source,
    *,
    with_keys: bool = False,
    report_progress: ProgressCallback = ignore_progress,
) -> CreatedBackup:
    """Raises SchemaBehind, CodeBehind, SchemaUnreleased, PlaceOpen, PlaceBusy, PlaceUnwritable,
    StorageFull, Unavailable.
    """
    with place.locked(), place.draft() as draft:
        with snapshot(source.database_url) as moment:
            parts = {
                "tables": _tables(moment, draft, report_progress),
                **_facts(moment),
            }
            hashes = moment.object_hashes()
            models = moment.models()
            add_to_note(place, moment.withdrawn())
        wanted = with_model_files(hashes, models, source.objects)
        copied = copy_objects(
            wanted,
            source.objects,
            place.objects,
            report_progress,
            set(place.object_hashes()).__contains__,
        )
        gone = (
            released_objects(source.database_url, copied.missing)
            if copied.missing
            else set()
        )
        missing = [sha256 for sha256 in copied.missing if sha256 not in gone]
        listed = write_object_list(draft, sorted(set(wanted) - gone), copied)
        if with_keys:
            save_keys(source.keys, draft / FOLDER)
        manifest = Manifest(
            sera=VERSION,
            objects=listed,
            let_go=len(gone),
            missing=missing,
            keys=fingerprints(source.keys),
            with_keys=with_keys,
            **parts,
        )
        name = manifest.backup_name(manifest.write(draft))
        folder = place.finish_draft(draft, name)
    _record(source.database_url, name, manifest)
    return CreatedBackup(name, folder, manifest, copied)


def read_object_hashes(folder: Path) -> list[str]:
    """The hashes of a backup's objects."""
    return read_lines(folder / OBJECTS)


def _facts(moment: Snapshot) -> dict[str, object]:
    return {
        "at": moment.at,
        "schema_revision": moment.revision,
        "postgres": moment.server,
        "heads": moment.heads(),
    }


def _tables(moment: Snapshot, draft: Path, told: ProgressCallback) -> dict[str, TablePart]:
    (draft / LEDGER).mkdir()
    tables = moment.tables()
    parts = {}
    for place, (name, columns) in enumerate(tables.items(), start=1):
        path = draft / LEDGER / f"{name}.gz"
        with open_compressed(path) as out:
            rows = moment.copy(name, columns, out)
        parts[name] = TablePart(
            columns=columns, rows=rows, **file_part(path).model_dump()
        )
        told("ledger", place / len(tables), name)
    return parts


def write_object_list(draft: Path, hashes: list[str], copied: CopyResult) -> ObjectsPart:
    path = draft / OBJECTS
    with open_compressed(path) as out:
        out.writelines(f"{sha256}\n".encode() for sha256 in hashes)
    return ObjectsPart(count=len(hashes), new=copied.new, **file_part(path).model_dump())


def _record(url: str, name: str, manifest: Manifest) -> None:
    """The trail says that all that SERA knows was copied, and under which hash."""
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.system_session("cli") as session:
            _told(session.audit, name, manifest)
    finally:
        ledger.close()


def _told(audit: AuditTrail, name: str, manifest: Manifest) -> None:
    audit.record(
        Event.BACKUP_MADE,
        backup=name,
        schema=manifest.schema_revision,
        files=manifest.objects.count,
    )
