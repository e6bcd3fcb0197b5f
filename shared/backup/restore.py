"""Making a ledger and its objects out of a backup.

All rows come in one transaction, which is committed when the objects are in place: a restore that breaks off leaves an
empty database, and is simply begun again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER
from shared.backup.files import unpacked
from shared.backup.folder import Place
from shared.backup.manifest import Manifest
from shared.backup.objects import Copied, Told, copy, silent, unsound, with_files
from shared.backup.verification import damaged
from shared.backup.withdrawal_notes import noted
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
class Restored:
    """`lost` are objects that neither the backup nor the store has as they were."""

    name: str
    manifest: Manifest
    rows: int
    migrated_to: str
    erased: int
    revoked: int
    known_at: str
    objects: int
    copied: Copied
    lost: list[str]


def restore(
    place: Place,
    database_url: str,
    objects: ObjectStore,
    *,
    name: str | None = None,
    withdrawn: Iterable[Withdrawals] = (),
    told: Told = silent,
) -> Restored:
    """Raises NoBackup, BackupUnreadable, BackupDamaged, NoteUnreadable, DatabaseNotEmpty, CodeBehind,
    SchemaUnreleased, Unavailable.
    """
    folder = place.folder(name)
    manifest = Manifest.read(folder)
    known = merge_withdrawals([noted(place), *withdrawn])
    if files := damaged(folder, manifest):
        raise BackupDamaged(name=folder.name, files=", ".join(files))
    with open_restore_target(database_url) as refill:
        rows = _rows(refill, folder, manifest, told)
        refill.upgrade_to_head()
        facts = {"backup": folder.name, "schema": manifest.schema_revision}
        erased, revoked = refill.record(known, facts)
        wanted = with_files(refill.object_hashes(), refill.models(), place.objects)
        copied = copy(wanted, place.objects, objects, told, objects.exists)
    lost = _mended(unsound(wanted, objects, "reading back", told), place, objects, told)
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
    return Restored(*found)


def _mended(
    damaged: list[str], place: Place, objects: ObjectStore, told: Told
) -> list[str]:
    """What was there already and is not as it was is replaced; returns those for which that was in vain."""
    if not damaged:
        return []
    copy(damaged, place.objects, objects, told)
    return unsound(damaged, objects, "reading back", told)


def _rows(refill: RestoreTarget, folder: Path, manifest: Manifest, told: Told) -> int:
    """Raises RestoreDiffers."""
    refill.create_schema(manifest.schema_revision)
    with refill.empty_tables() as order:
        if missing := set(manifest.tables) - set(order):
            raise RestoreDiffers(what=f"The table {min(missing)}", name=folder.name)
        tables = [
            (name, manifest.tables[name]) for name in order if name in manifest.tables
        ]
        for place, (name, part) in enumerate(tables, start=1):
            with unpacked(folder / LEDGER / f"{name}.gz") as rows:
                if refill.load(name, part.columns, rows) != part.rows:
                    raise RestoreDiffers(what=f"The table {name}", name=folder.name)
            told("ledger", place / len(tables), name)
    if refill.heads() != manifest.heads:
        raise RestoreDiffers(what="The audit trail", name=folder.name)
    return sum(part.rows for part in manifest.tables.values())
