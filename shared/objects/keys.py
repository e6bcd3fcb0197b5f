"""The interface of a key store: the operations that SERA needs of a directory or an S3 bucket."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from shared.objects.errors import KeyInvalid
from shared.objects.streams import Readable, Seekable

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_PART}(/{_PART})*")
_MAX_LENGTH = 900


class KeyStore(Protocol):
    """Stores values under keys that satisfy `check_key`.

    A value becomes visible only when it is complete and durable.
    """

    def write(self, key: str, source: Seekable, size: int) -> None:
        """Store the next `size` bytes of `source` under `key` and replace an earlier value."""

    def read(self, key: str) -> bytes:
        """The whole value; raises ObjectMissing."""

    def open(self, key: str) -> AbstractContextManager[Readable]:
        """The value as a stream; raises ObjectMissing."""

    def exists(self, key: str) -> bool:
        """Whether the key has a complete, durable value."""

    def delete(self, key: str) -> None:
        """Remove the key. A key that does not exist is no error."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with `prefix`, in alphabetical order."""


def is_key(text: str) -> bool:
    """Whether the text is safe both as a relative path and as an S3 name."""
    return len(text) <= _MAX_LENGTH and _KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """Returns the key. Raises KeyInvalid."""
    if not is_key(key):
        raise KeyInvalid(key=key)
    return key


def check_prefix(prefix: str) -> str:
    """Returns the prefix, which may be empty. Raises KeyInvalid."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix
