"""Restores a ledger and its objects from a backup.

All rows are loaded in one transaction, which is committed when all objects are stored. An
interrupted restore leaves an empty database and can be started again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER_FOLDER
from shared.backup.files import open_decompressed
from shared.backup.folder import BackupFolder
from shared.backup.manifest import Manifest, manifest_signer
from shared.backup.objects import (
    CopyResult,
    ProgressCallback,
    copy_objects,
    damaged_objects,
    ignore_progress,
    with_model_files,
)
from shared.backup.signatures import check_signer
from shared.backup.verification import damaged_files
from shared.backup.withdrawal_notes import read_note
from shared.domain.audit.withdrawals import Withdrawals, merge_withdrawals
from shared.errors import SeraError
from shared.ledger.backup.restore import RestoreTarget, open_restore_target
from shared.ledger.schema.compatibility import head
from shared.objects import ObjectStore

READING_BACK = "reading back"
"""The stage in which every restored object is verified."""


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
    """The result of a restore.

    `lost_objects` are missing or damaged, both in the backup and in the store.
    """

    name: str
    manifest: Manifest
    row_count: int
    schema_revision: str
    erased_count: int
    revoked_count: int
    withdrawals_known_at: str
    object_count: int
    copy_result: CopyResult
    lost_objects: list[str]


def restore(
    backups: BackupFolder,
    database_url: str,
    objects: ObjectStore,
    *,
    trusted_keys: Collection[str] | None,
    name: str | None = None,
    withdrawn: Iterable[Withdrawals] = (),
    report_progress: ProgressCallback = ignore_progress,
) -> RestoreResult:
    """Restore a backup.

    `trusted_keys` are the public keys of whom a backup may be; None trusts every backup.

    Raises BackupNotFound, BackupUnreadable, BackupUntrusted, BackupDamaged, NoteUnreadable,
    DatabaseNotEmpty, RestoreDiffers, CodeOutdated, SchemaUnreleased, Unavailable.
    """
    folder = backups.backup_folder(name)
    manifest = Manifest.read(folder)
    check_signer(folder, manifest_signer(folder), trusted_keys)
    note = read_note(backups, trusted_keys)
    withdrawals = merge_withdrawals([note, *withdrawn])
    bad_files = damaged_files(folder, manifest)
    if bad_files:
        raise BackupDamaged(name=folder.name, files=", ".join(bad_files))
    with open_restore_target(database_url) as target:
        rows = _load_rows(target, folder, manifest, report_progress)
        target.upgrade_to_head()
        facts = {"backup": folder.name, "schema": manifest.schema_revision}
        erased, revoked = target.apply_withdrawals(withdrawals, facts)
        hashes = with_model_files(
            target.object_hashes(), target.model_digests(), backups.objects
        )
        copy_result = copy_objects(
            hashes,
            source=backups.objects,
            target=objects,
            report_progress=report_progress,
            exists=objects.exists,
        )
    damaged = damaged_objects(hashes, objects, READING_BACK, report_progress)
    return RestoreResult(
        name=folder.name,
        manifest=manifest,
        row_count=rows,
        schema_revision=head(),
        erased_count=erased,
        revoked_count=revoked,
        withdrawals_known_at=withdrawals.known_at,
        object_count=len(hashes),
        copy_result=copy_result,
        lost_objects=_repair(damaged, backups, objects, report_progress),
    )


def _repair(
    damaged: list[str],
    backups: BackupFolder,
    objects: ObjectStore,
    report_progress: ProgressCallback,
) -> list[str]:
    """Replace damaged objects of the store, and return the objects that stay damaged."""
    if not damaged:
        return []
    copy_objects(damaged, backups.objects, objects, report_progress)
    return damaged_objects(damaged, objects, READING_BACK, report_progress)


def _load_rows(
    target: RestoreTarget,
    folder: Path,
    manifest: Manifest,
    report_progress: ProgressCallback,
) -> int:
    """Returns the number of rows. Raises RestoreDiffers."""
    target.create_schema(manifest.schema_revision)
    with target.empty_tables() as table_names:
        missing = set(manifest.tables) - set(table_names)
        if missing:
            raise RestoreDiffers(what=f"The table {min(missing)}", name=folder.name)
        names = [name for name in table_names if name in manifest.tables]
        for number, name in enumerate(names, start=1):
            part = manifest.tables[name]
            if set(part.columns) != set(target.columns(name)):
                raise RestoreDiffers(what=f"The table {name}", name=folder.name)
            with open_decompressed(folder / LEDGER_FOLDER / f"{name}.gz") as stream:
                loaded = target.load(name, part.columns, stream)
            if loaded != part.rows:
                raise RestoreDiffers(what=f"The table {name}", name=folder.name)
            report_progress("ledger", number / len(names), name)
    if target.heads() != manifest.heads:
        raise RestoreDiffers(what="The audit trail", name=folder.name)
    return sum(part.rows for part in manifest.tables.values())
