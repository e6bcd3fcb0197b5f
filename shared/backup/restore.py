"""Making a ledger and its objects out of a backup.

All rows come in one transaction, which is committed when the objects are in place: a restore that breaks off leaves an
empty database, and is simply begun again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER
from shared.backup.files import open_decompressed
from shared.backup.folder import BackupFolder
from shared.backup.manifest import Manifest
from shared.backup.objects import CopyResult, ProgressCallback, copy_objects, ignore_progress, damaged_objects, with_model_files
from shared.backup.verification import damaged_files
from shared.backup.withdrawal_notes import read_note
from shared.domain.audit.withdrawals import Withdrawals, merge_withdrawals
from shared.errors import SeraError
from shared.ledger.backup.restore import RestoreTarget, open_restore_target
from shared.ledger.schema.compatibility import head
from shared.objects import ObjectStore


class BackupDamaged(SeraError):
    code = "backup-damaged"
    text = (
        "The backup {name} is not as it was made ({files}). Nothing was restored. Take it from a "
        "copy, or restore an earlier one with --backup; `./sera backup verify` says which are "
        "whole."
    )


class RestoreDiffers(SeraError):
    code = "restore-differs"
    text = (
        "{what} did not come in as the backup {name} has it. Nothing was restored; report this, "
        "and use another one."
    )


@dataclass(frozen=True)
class RestoreResult:
    """`lost` are objects that neither the backup nor the store has as they were."""

    name: str
    manifest: Manifest
    rows: int
    migrated_to: str
    erased: int
    revoked: int
    known_at: str
    objects: int
    copy_result: CopyResult
    lost_objects: list[str]


def restore(
    place: BackupFolder,
    database_url: str,
    objects: ObjectStore,
    *,
    name: str | None = None,
    withdrawn: Iterable[Withdrawals] = (),
    report_progress: ProgressCallback = ignore_progress,
) -> RestoreResult:
    """Raises NoBackup, BackupUnreadable, BackupDamaged, NoteUnreadable, DatabaseNotEmpty, CodeBehind,
    SchemaUnreleased, Unavailable.
    """
    folder = place.backup_folder(name)
    manifest = Manifest.read(folder)
    known = merge_withdrawals([read_note(place), *withdrawn])
    if files := damaged_files(folder, manifest):
        raise BackupDamaged(name=folder.name, files=", ".join(files))
    with open_restore_target(database_url) as refill:
        rows = _rows(refill, folder, manifest, report_progress)
        refill.upgrade_to_head()
        facts = {"backup": folder.name, "schema": manifest.schema_revision}
        erased, revoked = refill.record(known, facts)
        wanted = with_model_files(refill.object_hashes(), refill.models(), place.objects)
        copied = copy_objects(wanted, place.objects, objects, report_progress, objects.exists)
    lost = _mended(damaged_objects(wanted, objects, "reading back", report_progress), place, objects, report_progress)
    found = (
        folder.name,
        manifest,
        rows,
        head(),
        erased,
        revoked,
        known.known_at,
        len(wanted),
        copied,
        lost,
    )
    return RestoreResult(*found)


def _mended(
    damaged: list[str], place: BackupFolder, objects: ObjectStore, told: ProgressCallback
) -> list[str]:
    """What was there already and is not as it was is replaced; returns those for which that was in vain."""
    if not damaged:
        return []
    copy_objects(damaged, place.objects, objects, told)
    return damaged_objects(damaged, objects, "reading back", told)


def _rows(refill: RestoreTarget, folder: Path, manifest: Manifest, told: ProgressCallback) -> int:
    """Raises RestoreDiffers."""
    refill.create_schema(manifest.schema_revision)
    with refill.empty_tables() as order:
        if missing := set(manifest.tables) - set(order):
            raise RestoreDiffers(what=f"The table {min(missing)}", name=folder.name)
        tables = [
            (name, manifest.tables[name]) for name in order if name in manifest.tables
        ]
        for place, (name, part) in enumerate(tables, start=1):
            with open_decompressed(folder / LEDGER / f"{name}.gz") as rows:
                if refill.load(name, part.columns, rows) != part.rows:
                    raise RestoreDiffers(what=f"The table {name}", name=folder.name)
            told("ledger", place / len(tables), name)
    if refill.heads() != manifest.heads:
        raise RestoreDiffers(what="The audit trail", name=folder.name)
    return sum(part.rows for part in manifest.tables.values())
