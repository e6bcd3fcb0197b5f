"""Passwords: what may be one (NIST SP 800-63B), and what is kept of it (argon2id, RFC 9106).

A hash takes 64 MiB and a tenth of a second by intent. Whoever hashes for strangers bounds how many run at a time.
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
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$RTGr2lY74N+wQN3bLoaYgQ$XihMun9GGTJZ3q9osID6Ob0c/+7EnKP0t71MuH0RsKw"
"""What a guess is compared with where there is no such person, so that it takes as long."""
LEAST = 12
MOST = 200
"""Letters. No rules of composition: SP 800-63B advises against them."""
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS = 4
GROUP = 5
"""A one-time password: 20 letters that cannot be taken for one another, 99 bits."""
COMMON = (
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
RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn",
)
LEETSPEAK = str.maketrans("01345@$!", "oieasasi")
DIFFERENT = 5
"""Fewer different letters than this are a pattern."""


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


def check(password: str, name: str) -> None:
    """Raises PasswordTooShort, PasswordGuessable."""
    told = normal(password)
    if not LEAST <= len(told) <= MOST:
        raise PasswordTooShort(least=LEAST, most=MOST)
    plain = told.casefold()
    if why := _guessable(plain, name.casefold()):
        raise PasswordGuessable(why=why)


def hashed(password: str) -> str:
    return HASHER.hash(normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long where there is none, and is then False."""
    try:
        return HASHER.verify(kept or NOBODYS, normal(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def stale(kept: str) -> bool:
    """Whether it was hashed with other parameters than ours are now."""
    return HASHER.check_needs_rehash(kept)


def one_time() -> str:
    """A password to be changed at the first sign-in."""
    return "-".join(
        "".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS)
    )


def normal(password: str) -> str:
    """One keyboard's é is another's e and accent: the same password."""
    return unicodedata.normalize("NFKC", password)


def _guessable(plain: str, name: str) -> str:
    if len(set(plain)) < DIFFERENT or _repeats(plain):
        return "it repeats itself"
    if any(run.startswith(plain) or plain in run or plain in run[::-1] for run in RUNS):
        return "its letters lie side by side"
    if len(name) >= 3 and _little_beside(plain, (name,)):
        return "it is the name"
    if any(
        _little_beside(told, COMMON) for told in (plain, plain.translate(LEETSPEAK))
    ):
        return "it is a common word with something added"
    return ""


def _repeats(plain: str) -> bool:
    return re.fullmatch(r"(.{1,6})\1+.?", plain) is not None


def _little_beside(plain: str, words: Iterable[str]) -> bool:
    left = plain
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, "")
    return left != plain and len(left) <= LEAST // 2
