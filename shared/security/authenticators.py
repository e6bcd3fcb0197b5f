"""Authenticators that show a code of six digits (TOTP, RFC 6238), and codes for when they are lost."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from uuid import UUID

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import SeraError
from shared.security.key_files import kept, raw
from shared.security.passwords import ALPHABET
from shared.settings import Settings

ISSUER = "SERA"
STEP_S = 30
STEPS_OFF = 1
"""A code of the step before or after is taken too: clocks differ, and people are slow."""
NONCE_BYTES = 12
RECOVERY_CODES = 10
GROUPS = 4
GROUP = 4
"""79 random bits each, so that one round of SHA-256 keeps them."""


class PeopleKeyUnusable(SeraError):
    code = "people-key-unusable"
    text = (
        "{where} does not hold the key of the authenticators' secrets. Put the right one there, "
        "from your backup."
    )


class PeopleKeyUnwritable(SeraError):
    code = "people-key-unwritable"
    text = (
        "The key of authenticators' secrets cannot be kept at {path}. Make the folder writable, or "
        "set SERA_PEOPLE_KEY."
    )


class Vault:
    """Encrypts secrets (AES-256-GCM) before they go into the ledger, each for its person alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / "keys" / "people-aes"

    def seal(self, person: UUID, secret: str) -> bytes:
        """Raises PeopleKeyUnusable, PeopleKeyUnwritable."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, secret.encode(), person.bytes)

    def open(self, person: UUID, sealed: bytes) -> str:
        """Raises PeopleKeyUnusable, also for what was sealed with another key or for somebody else."""
        try:
            return (
                self._cipher()
                .decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], person.bytes)
                .decode()
            )
        except InvalidTag as error:
            raise PeopleKeyUnusable(where=self._where) from error

    @property
    def _where(self) -> str:
        return "SERA_PEOPLE_KEY" if self._settings.people_key else str(self._path)

    def _cipher(self) -> AESGCM:
        told = self._settings.people_key
        try:
            return AESGCM(raw(told.get_secret_value() if told else kept(self._path)))
        except OSError as error:
            raise PeopleKeyUnwritable(path=self._path) from error
        except ValueError as error:
            raise PeopleKeyUnusable(where=self._where) from error


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def address(secret: str, name: str) -> str:
    """The `otpauth:` URI that an authenticator reads, as a QR code or a link."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now_s: float, last: int | None) -> int | None:
    """The time step that this code belongs to, if it is near and after the last one used; else None."""
    clock = pyotp.HOTP(secret)
    told = plain(code)
    now = int(now_s // STEP_S)
    for step in range(now - STEPS_OFF, now + STEPS_OFF + 1):
        fresh = last is None or step > last
        if fresh and hmac.compare_digest(clock.at(step).encode(), told.encode()):
            return step
    return None


def recovery_codes() -> list[str]:
    """Each good for one sign-in."""
    return [
        "-".join("".join(_letters(GROUP)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str) -> str:
    return hashlib.sha256(plain(code).casefold().encode()).hexdigest()


def plain(code: str) -> str:
    """Without the blanks and dashes that make it easier to read."""
    return "".join(letter for letter in code if letter.isascii() and letter.isalnum())


def _letters(count: int) -> Iterable[str]:
    return (secrets.choice(ALPHABET) for _ in range(count))
