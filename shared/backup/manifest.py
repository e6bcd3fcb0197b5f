"""manifest.json: the parts of a backup with their hashes.

The backup's name contains the hash of the manifest.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import SeraError

FORMAT = 1
MANIFEST_FILE = "manifest.json"
NAME_DIGITS = 12


class BackupUnreadable(SeraError):
    code = "backup-unreadable"
    text = (
        "{path} is no manifest of a backup that this release reads ({problem}). Use another backup "
        "of the folder."
    )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilePart(_Part):
    size: int
    sha256: str


class TablePart(FilePart):
    columns: list[str]
    rows: int


class ObjectsPart(FilePart):
    """The list of the objects' hashes. The objects are in a common folder of all backups."""

    count: int
    new: int
    """The number of objects that no earlier backup in the folder had."""


class Manifest(_Part):
    format: int = FORMAT
    at: datetime
    """The moment of the snapshot, by the database's clock."""
    sera: str
    schema_revision: str
    postgres: str
    tables: dict[str, TablePart]
    objects: ObjectsPart
    let_go: int
    """The number of objects of cases that were erased during the backup."""
    missing: list[str]
    """Objects that the ledger named and that were missing or damaged in the store."""
    heads: dict[str, str]
    """Number and hash of each audit chain's last event."""
    keys: dict[str, str]
    """SHA-256 of each key of this ledger that was available at the backup."""
    with_keys: bool

    def write(self, folder: Path) -> str:
        """Write the manifest, and return its digest."""
        text = self.model_dump_json(indent=2).encode()
        (folder / MANIFEST_FILE).write_bytes(text)
        return hashlib.sha256(text).hexdigest()

    def backup_name(self, digest: str) -> str:
        """The name of a backup with this manifest. Names sort by time."""
        milliseconds = self.at.microsecond // 1000
        time = f"{self.at:%Y%m%dT%H%M%S}.{milliseconds:03}Z"
        return f"{time}-{digest[:NAME_DIGITS]}"

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises BackupUnreadable, also if the manifest's hash is not in the folder's name."""
        path = folder / MANIFEST_FILE
        try:
            text = path.read_bytes()
            manifest = cls.model_validate_json(text)
        except OSError as error:
            raise BackupUnreadable(path=path, problem=error.strerror) from error
        except ValidationError as error:
            raise BackupUnreadable(
                path=path, problem=error.errors()[0]["msg"]
            ) from error
        digest = hashlib.sha256(text).hexdigest()
        if not folder.name.endswith(digest[:NAME_DIGITS]):
            raise BackupUnreadable(
                path=path,
                problem="it was changed: its hash is not the one in the folder's name",
            )
        if manifest.format != FORMAT:
            raise BackupUnreadable(
                path=path, problem=f"it has the format {manifest.format}"
            )
        return manifest
