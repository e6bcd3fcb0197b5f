"""Verifies a backup: every file and every object is read and hashed. Nothing is restored."""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER_FOLDER, OBJECT_LIST_FILE, read_object_hashes
from shared.backup.files import file_part
from shared.backup.folder import BackupFolder
from shared.backup.manifest import FilePart, Manifest, manifest_signer
from shared.backup.objects import ProgressCallback, damaged_objects, ignore_progress


@dataclass(frozen=True)
class VerificationResult:
    """The damaged or missing files and objects of a backup.

    Objects that were already missing at the backup are listed in the manifest instead. `signer` is
    the public key that signed the manifest; None if no valid signature is there.
    """

    name: str
    manifest: Manifest
    damaged_files: list[str]
    damaged_objects: list[str]
    signer: str | None

    @property
    def is_intact(self) -> bool:
        return not (self.damaged_files or self.damaged_objects)


def verify_backup(
    backups: BackupFolder,
    name: str | None = None,
    report_progress: ProgressCallback = ignore_progress,
) -> VerificationResult:
    """Raises BackupNotFound, BackupUnreadable."""
    folder = backups.backup_folder(name)
    manifest = Manifest.read(folder)
    bad_files = damaged_files(folder, manifest)
    hashes: list[str] = []
    if OBJECT_LIST_FILE not in bad_files:
        hashes = sorted(set(read_object_hashes(folder)) - set(manifest.missing))
    bad_objects = damaged_objects(
        hashes,
        store=backups.objects,
        stage="objects",
        report_progress=report_progress,
    )
    return VerificationResult(
        name=folder.name,
        manifest=manifest,
        damaged_files=bad_files,
        damaged_objects=bad_objects,
        signer=manifest_signer(folder),
    )


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Files of the backup that do not match its manifest."""
    parts: dict[str, FilePart] = {
        f"{LEDGER_FOLDER}/{name}.gz": part for name, part in manifest.tables.items()
    }
    parts[OBJECT_LIST_FILE] = manifest.objects
    return [path for path, part in parts.items() if not _matches(folder / path, part)]


def _matches(path: Path, part: FilePart) -> bool:
    try:
        return file_part(path) == FilePart(size=part.size, sha256=part.sha256)
    except OSError:
        return False
