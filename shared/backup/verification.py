"""Whether a backup is as it was made: every file and every object is read and hashed, and nothing is restored."""

from dataclasses import dataclass
from pathlib import Path

from shared.backup.create import LEDGER, OBJECTS, listed
from shared.backup.files import measured
from shared.backup.folder import Place
from shared.backup.manifest import FilePart, Manifest
from shared.backup.objects import Told, silent, unsound


@dataclass(frozen=True)
class Checked:
    """`files` and `objects` are damaged or gone; `missing` were not there when the backup was made."""

    name: str
    manifest: Manifest
    files: list[str]
    objects: list[str]

    @property
    def whole(self) -> bool:
        return not (self.files or self.objects)


def check(place: Place, name: str | None = None, told: Told = silent) -> Checked:
    """Raises NoBackup, BackupUnreadable."""
    folder = place.folder(name)
    manifest = Manifest.read(folder)
    files = damaged(folder, manifest)
    hashes = (
        [] if OBJECTS in files else sorted(set(listed(folder)) - set(manifest.missing))
    )
    return Checked(
        folder.name, manifest, files, unsound(hashes, place.objects, "objects", told)
    )


def damaged(folder: Path, manifest: Manifest) -> list[str]:
    """Files of the backup that are not what its manifest says."""
    parts = {f"{LEDGER}/{name}.gz": part for name, part in manifest.tables.items()} | {
        OBJECTS: manifest.objects
    }
    return [path for path, part in parts.items() if not _as_told(folder / path, part)]


def _as_told(path: Path, part: FilePart) -> bool:
    try:
        return measured(path) == FilePart(size=part.size, sha256=part.sha256)
    except OSError:
        return False
