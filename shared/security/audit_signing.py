"""The key that seals the audit trail: Ed25519 (RFC 8032), the private half on the machine of the workers only.

Keys and signatures are written as base64 of their raw bytes: 32 of a key, 64 of a signature.
"""

import base64
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from shared.domain.audit.chain import Seal
from shared.errors import SeraError
from shared.security.key_files import kept, raw
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
    """Signs; `public` is what others need to check it."""

    def __init__(self, secret: str, where: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_raw(secret, where))
        self.public = _text(self._key.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> str:
        return _text(self._key.sign(text))


def seal_key(settings: Settings) -> SealKey:
    """The key in SERA_AUDIT_KEY, else this machine's own, drawn when it is first needed.

    Raises
    ------
    SealKeyUnusable, SealKeyUnwritable
    """
    if settings.audit_key:
        return SealKey(settings.audit_key.get_secret_value(), "SERA_AUDIT_KEY")
    path = key_file(settings)
    try:
        return SealKey(kept(path), str(path))
    except OSError as error:
        raise SealKeyUnwritable(path=path) from error


def key_file(settings: Settings) -> Path:
    return settings.home / "keys" / "audit-ed25519"


def own_key(settings: Settings) -> list[str]:
    """The public half, where this machine holds the key; nothing where seals are made elsewhere."""
    held = settings.audit_key or key_file(settings).exists()
    return [seal_key(settings).public] if held else []


def signed(seal: Seal) -> bool:
    """Whether a seal's signature was made over it with the key that it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(_raw(seal.key, "the seal"))
        key.verify(base64.b64decode(seal.signature, validate=True), seal.signed_bytes)
    except (InvalidSignature, SealKeyUnusable, ValueError):
        return False
    return True


def _raw(text: str, where: str) -> bytes:
    try:
        return raw(text)
    except ValueError as error:
        raise SealKeyUnusable(where=where) from error


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
