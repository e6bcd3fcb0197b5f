"""Whether a backup is as it was made: every file and every object is read and hashed, and nothing is restored."""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER, OBJECTS, read_object_hashes
from shared.backup.files import file_part
from shared.backup.folder import BackupFolder
from shared.backup.manifest import FilePart, Manifest
from shared.backup.objects import ProgressCallback, ignore_progress, damaged_objects


@dataclass(frozen=True)
class VerificationResult:
    """`files` and `objects` are damaged or gone; `missing` were not there when the backup was made."""

    name: str
    manifest: Manifest
    damaged_files: list[str]
    damaged_objects: list[str]

    @property
    def is_intact(self) -> bool:
        return not (self.damaged_files or self.damaged_objects)


def verify_backup(place: BackupFolder, name: str | None = None, report_progress: ProgressCallback = ignore_progress) -> VerificationResult:
    """Raises NoBackup, BackupUnreadable."""
    folder = place.backup_folder(name)
    manifest = Manifest.read(folder)
    files = damaged_files(folder, manifest)
    hashes = (
        [] if OBJECTS in files else sorted(set(read_object_hashes(folder)) - set(manifest.missing))
    )
    return VerificationResult(
        folder.name, manifest, files, damaged_objects(hashes, place.objects, "objects", report_progress)
    )


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Files of the backup that are not what its manifest says."""
    parts = {f"{LEDGER}/{name}.gz": part for name, part in manifest.tables.items()} | {
        OBJECTS: manifest.objects
    }
    return [path for path, part in parts.items() if not _as_told(folder / path, part)]


def _as_told(path: Path, part: FilePart) -> bool:
    try:
        return file_part(path) == FilePart(size=part.size, sha256=part.sha256)
    except OSError:
        return False
