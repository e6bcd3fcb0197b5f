"""Signatures of a backup: by the sealing key, over the manifest and the note of withdrawals.

Hashes show that the parts of a backup fit together. Whoever may write to its folder can make them
anew. A signature shows that the holder of the sealing key made it; its public half must therefore
come from elsewhere (`./sera audit key`, put down where the backups are not).
"""

import hashlib
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict

from shared.backup.keys import SEAL_KEY_FILE
from shared.domain.audit.chain import canonical_bytes
from shared.errors import SeraError
from shared.security.audit_signing import SealKey, is_signature

MANIFEST_FORM = "sera-backup/1"
NOTE_FORM = "sera-withdrawn/1"
NOBODY = "nobody"


class BackupUntrusted(SeraError):
    code = "backup-untrusted"
    text = (
        "{path} is signed by {signer}, and by no key that you trust. Whoever may write to its "
        "folder may have made it, with a role or a result of their own. Give the public key that "
        "`./sera audit key` printed where the backup was made: --trusted KEY. Without one, "
        "--untrusted goes on without this proof."
    )


class Signature(BaseModel):
    """The public key of the signer, and its signature, both in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    signature: str

    def signer(self, form: str, content: bytes) -> str | None:
        """The public key, if its signature of this content holds."""
        holds = is_signature(self.key, self.signature, _signed_bytes(form, content))
        return self.key if holds else None


def sign(form: str, content: bytes, keys: dict[str, str]) -> Signature | None:
    """Sign the content; None if the sealing key is not among the keys.

    Raises SealKeyUnusable.
    """
    secret = keys.get(SEAL_KEY_FILE)
    if not secret:
        return None
    key = SealKey(secret, SEAL_KEY_FILE)
    return Signature(key=key.public, signature=key.sign(_signed_bytes(form, content)))


def check_signer(
    path: object, signer: str | None, trusted_keys: Collection[str] | None
) -> None:
    """Raises BackupUntrusted unless the signer is trusted; None trusts everybody."""
    if trusted_keys is not None and signer not in trusted_keys:
        raise BackupUntrusted(path=path, signer=signer or NOBODY)


def _signed_bytes(form: str, content: bytes) -> bytes:
    return canonical_bytes((form, hashlib.sha256(content).hexdigest()))
