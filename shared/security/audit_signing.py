"""The Ed25519 key (RFC 8032) that seals the audit trail.

The private half exists only on the machine of the workers. Keys and signatures are the base64 of
their raw bytes: 32 of a key, 64 of a signature.
"""

import base64
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from shared.domain.audit.chain import Seal
from shared.domain.audit.series import SeriesSeal
from shared.errors import SeraError
from shared.security.key_files import decode_key, read_or_create
from shared.settings import Settings


class SealKeyUnusable(SeraError):
    code = "seal-key-unusable"
    text = (
        "{where} holds no Ed25519 key, which is 32 bytes in base64. Put the right one there, from "
        "your backup."
    )


class SealKeyUnwritable(SeraError):
    code = "seal-key-unwritable"
    text = (
        "The key of the audit trail cannot be kept at {path}. Make the folder writable, or set "
        "SERA_AUDIT_KEY."
    )


class SealKey:
    """Signs seals. `public` is the key with which others verify them."""

    def __init__(self, secret: str, location: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_decode_key(secret, location))
        self.public = _to_base64(self._key.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> str:
        return _to_base64(self._key.sign(text))


def seal_key(settings: Settings) -> SealKey:
    """Return the key in SERA_AUDIT_KEY, else the key file of this machine, created at first use.

    Raises
    ------
    SealKeyUnusable, SealKeyUnwritable
    """
    if settings.audit_key:
        return SealKey(settings.audit_key.get_secret_value(), "SERA_AUDIT_KEY")
    path = seal_key_file(settings)
    try:
        return SealKey(read_or_create(path), str(path))
    except OSError as error:
        raise SealKeyUnwritable(path=path) from error


def seal_key_file(settings: Settings) -> Path:
    return settings.home / "keys" / "audit-ed25519"


def own_public_keys(settings: Settings) -> list[str]:
    """The public key, if this machine has the private one; empty if seals are made elsewhere."""
    has_key = settings.audit_key or seal_key_file(settings).exists()
    return [seal_key(settings).public] if has_key else []


def is_signed(seal: Seal | SeriesSeal) -> bool:
    """Whether the seal's signature is valid under the key that the seal names."""
    return is_signature(seal.key, seal.signature, seal.signed_bytes)


def is_signature(public: str, signature: str, content: bytes) -> bool:
    """Whether the holder of this public key signed the content; both texts are base64."""
    try:
        key = Ed25519PublicKey.from_public_bytes(_decode_key(public, "the signature"))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, SealKeyUnusable, ValueError):
        return False
    return True


def _decode_key(text: str, location: str) -> bytes:
    try:
        return decode_key(text)
    except ValueError as error:
        raise SealKeyUnusable(where=location) from error


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
