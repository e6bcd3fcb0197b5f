"""Password rules (NIST SP 800-63B) and password hashes (argon2id, RFC 9106).

A hash takes 64 MiB and a tenth of a second on purpose. A caller that hashes for
unauthenticated clients limits how many hashes run at the same time.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import InputError

HASHER = PasswordHasher()
"""RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes."""
DUMMY_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$RTGr2lY74N+wQN3bLoaYg"
    "Q$XihMun9GGTJZ3q9osID6Ob0c/+7EnKP0t71MuH0RsKw"
)
"""Compared with the password for an unknown name, so that the response takes the same time."""
MIN_LETTERS = 12
MAX_LETTERS = 200
"""There are no rules of composition: SP 800-63B advises against them."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUP_COUNT = 4
GROUP_LETTERS = 5
"""A one-time password has 20 letters of an alphabet without look-alikes: 99 bits."""
COMMON_WORDS = (
    "password",
    "passwort",
    "passw0rd",
    "letmein",
    "welcome",
    "qwerty",
    "qwertz",
    "azerty",
    "iloveyou",
    "admin",
    "administrator",
    "operator",
    "hospital",
    "thyroid",
    "ultrasound",
    "radiology",
    "sera",
    "changeme",
    "secret",
    "doctor",
    "monkey",
    "dragon",
    "sunshine",
    "football",
    "princess",
    "login",
    "summer",
    "winter",
    "spring",
)
KEYBOARD_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn",
)
LEETSPEAK = str.maketrans("01345@$!", "oieasasi")
MIN_DISTINCT_LETTERS = 5
"""A password with fewer distinct letters is a pattern."""


class PasswordTooShort(InputError):
    code = "password-too-short"
    text = (
        "A password has at least {least} letters, and at most {most}. Take several words that do "
        "not belong together."
    )


class PasswordGuessable(InputError):
    code = "password-guessable"
    text = (
        "This password is among the first that are tried ({why}). Take several words that do not "
        "belong together."
    )


def check_password(password: str, name: str) -> None:
    """Raises PasswordTooShort, PasswordGuessable."""
    normalized = normalize(password)
    if not MIN_LETTERS <= len(normalized) <= MAX_LETTERS:
        raise PasswordTooShort(least=MIN_LETTERS, most=MAX_LETTERS)
    weakness = _weakness(normalized.casefold(), name.casefold())
    if weakness:
        raise PasswordGuessable(why=weakness)


def hash_password(password: str) -> str:
    return HASHER.hash(normalize(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Without a hash it is False after the same time."""
    try:
        is_right = HASHER.verify(password_hash or DUMMY_HASH, normalize(password))
        return is_right and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than the present ones."""
    return HASHER.check_needs_rehash(password_hash)


def one_time_password() -> str:
    """A password to be changed at the first sign-in."""
    groups = [_random_letters(GROUP_LETTERS) for _ in range(GROUP_COUNT)]
    return "-".join(groups)


def normalize(password: str) -> str:
    """NFKC: an é and an e with a combining accent are the same password."""
    return unicodedata.normalize("NFKC", password)


def _random_letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def _weakness(password: str, name: str) -> str:
    """Return why a password is guessable; empty if it is not."""
    if len(set(password)) < MIN_DISTINCT_LETTERS or _repeats(password):
        return "it repeats itself"
    if any(_is_part_of_run(password, run) for run in KEYBOARD_RUNS):
        return "its letters lie side by side"
    if len(name) >= 3 and _has_little_besides(password, (name,)):
        return "it is the name"
    for spelling in (password, password.translate(LEETSPEAK)):
        if _has_little_besides(spelling, COMMON_WORDS):
            return "it is a common word with something added"
    return ""


def _is_part_of_run(password: str, run: str) -> bool:
    return password in run or password in run[::-1]


def _repeats(password: str) -> bool:
    return re.fullmatch(r"(.{1,6})\1+.?", password) is not None


def _has_little_besides(password: str, words: Iterable[str]) -> bool:
    remaining = password
    for word in sorted(words, key=len, reverse=True):
        remaining = remaining.replace(word, "")
    return remaining != password and len(remaining) <= MIN_LETTERS // 2
