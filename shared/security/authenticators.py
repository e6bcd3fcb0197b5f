"""Second factors: authenticators with six-digit codes (TOTP, RFC 6238), and recovery codes."""

import hashlib
import hmac
import os
import secrets
from uuid import UUID

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import SeraError
from shared.security.key_files import decode_key, read_or_create
from shared.security.passwords import ALPHABET
from shared.settings import Settings

ISSUER = "SERA"
STEP_S = 30
STEP_TOLERANCE = 1
"""A code of the previous or next step is accepted too: clocks differ, and people need time to type.
"""
NONCE_BYTES = 12
RECOVERY_CODE_COUNT = 10
GROUP_COUNT = 4
GROUP_LETTERS = 4
"""A recovery code has 79 random bits, so one round of SHA-256 protects it."""


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
    """Encrypts secrets (AES-256-GCM) for the ledger, each bound to its person."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / "keys" / "people-aes"

    def seal(self, person: UUID, secret: str) -> bytes:
        """Raises PeopleKeyUnusable, PeopleKeyUnwritable."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, secret.encode(), person.bytes)

    def open(self, person: UUID, sealed: bytes) -> str:
        """Raises PeopleKeyUnusable, also if another key or another person sealed it."""
        nonce = sealed[:NONCE_BYTES]
        ciphertext = sealed[NONCE_BYTES:]
        try:
            return self._cipher().decrypt(nonce, ciphertext, person.bytes).decode()
        except InvalidTag as error:
            raise PeopleKeyUnusable(where=self._key_location) from error

    @property
    def _key_location(self) -> str:
        return "SERA_PEOPLE_KEY" if self._settings.people_key else str(self._path)

    def _cipher(self) -> AESGCM:
        setting = self._settings.people_key
        try:
            if setting:
                text = setting.get_secret_value()
            else:
                text = read_or_create(self._path)
            return AESGCM(decode_key(text))
        except OSError as error:
            raise PeopleKeyUnwritable(path=self._path) from error
        except ValueError as error:
            raise PeopleKeyUnusable(where=self._key_location) from error


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, name: str) -> str:
    """The `otpauth:` URI for an authenticator, as a QR code or a link."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def matching_step(
    secret: str, code: str, now_s: float, last_step: int | None
) -> int | None:
    """Return the time step of a code; None if the code is wrong.

    The step must be close to `now_s` (seconds since 1970) and later than the last one used.
    """
    clock = pyotp.HOTP(secret)
    digits = normalize_code(code).encode()
    current_step = int(now_s // STEP_S)
    first_step = current_step - STEP_TOLERANCE
    for step in range(first_step, current_step + STEP_TOLERANCE + 1):
        is_unused = last_step is None or step > last_step
        if is_unused and hmac.compare_digest(clock.at(step).encode(), digits):
            return step
    return None


def recovery_codes() -> list[str]:
    """New codes, each valid for one sign-in."""
    return [_recovery_code() for _ in range(RECOVERY_CODE_COUNT)]


def recovery_hash(code: str) -> str:
    return hashlib.sha256(normalize_code(code).casefold().encode()).hexdigest()


def normalize_code(code: str) -> str:
    """The code without the blanks and dashes that make it easier to read."""
    return "".join(letter for letter in code if letter.isascii() and letter.isalnum())


def _recovery_code() -> str:
    groups = [_random_letters(GROUP_LETTERS) for _ in range(GROUP_COUNT)]
    return "-".join(groups)


def _random_letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
