"""manifest.json: what a backup holds, with the hash of every part. Its own hash is in the backup's name."""

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import SeraError

FORMAT = 1
MANIFEST = "manifest.json"
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
    """The list of the objects' hashes; the objects themselves lie beside all backups, each under its own."""

    count: int
    new: int
    """Those that no earlier backup of the folder had."""


class Manifest(_Part):
    format: int = FORMAT
    at: datetime
    """The moment of the ledger, by the database's clock."""
    sera: str
    schema_revision: str
    postgres: str
    tables: dict[str, TablePart]
    objects: ObjectsPart
    let_go: int
    """Objects of cases that were erased while the backup was made."""
    missing: list[str]
    """Objects that the ledger named and the store did not have, or not as they were."""
    heads: dict[str, str]
    """Number and hash of each audit chain's last event."""
    keys: dict[str, str]
    """SHA-256 of the keys that this ledger needs, as far as whoever made the backup holds them."""
    with_keys: bool

    def write(self, folder: Path) -> str:
        """Returns the digest."""
        text = self.model_dump_json(indent=2).encode()
        (folder / MANIFEST).write_bytes(text)
        return hashlib.sha256(text).hexdigest()

    def backup_name(self, digest: str) -> str:
        """What a backup with this manifest is called; names sort by time."""
        return f"{self.at:%Y%m%dT%H%M%S}.{self.at.microsecond // 1000:03}Z-{digest[:NAME_DIGITS]}"

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises BackupUnreadable, also where it is not the one that the folder's name tells of."""
        path = folder / MANIFEST
        try:
            text = path.read_bytes()
            found = cls.model_validate_json(text)
        except OSError as error:
            raise BackupUnreadable(path=path, problem=error.strerror) from error
        except ValidationError as error:
            raise BackupUnreadable(
                path=path, problem=error.errors()[0]["msg"]
            ) from error
        if not folder.name.endswith(hashlib.sha256(text).hexdigest()[:NAME_DIGITS]):
            raise BackupUnreadable(
                path=path,
                problem="it was changed: its hash is not the one in the folder's name",
            )
        if found.format != FORMAT:
            raise BackupUnreadable(
                path=path, problem=f"it has the format {found.format}"
            )
        return found
