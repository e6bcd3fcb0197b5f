"""manifest.json: the parts of a backup with their hashes.

The backup's name contains the hash of the manifest.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shared.backup.signatures import MANIFEST_FORM, Signature, sign
from shared.errors import SeraError

FORMAT = 1
MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.sig"
NAME_DIGITS = 12


class BackupUnreadable(SeraError):
    code = "backup-unreadable"
    text = (
        "{path} is no manifest of a backup that this release reads ({problem}). Use another backup "
        "of the folder."
    )


Name = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")]
"""The name of a table or column, which is a file's name, too."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilePart(_Part):
    size: int
    sha256: str


class TablePart(FilePart):
    columns: list[Name]
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
    tables: dict[Name, TablePart]
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

    def write(self, folder: Path, keys: dict[str, str]) -> str:
        """Write the manifest, signed if the sealing key is among the keys; return its digest."""
        text = self.model_dump_json(indent=2).encode()
        (folder / MANIFEST_FILE).write_bytes(text)
        signature = sign(MANIFEST_FORM, text, keys)
        if signature:
            (folder / SIGNATURE_FILE).write_text(signature.model_dump_json())
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


def manifest_signer(folder: Path) -> str | None:
    """The public key that signed a backup's manifest; None if no valid signature is there."""
    try:
        content = (folder / MANIFEST_FILE).read_bytes()
        signature = Signature.model_validate_json((folder / SIGNATURE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return signature.signer(MANIFEST_FORM, content)
