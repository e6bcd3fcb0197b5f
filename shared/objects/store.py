"""Objects under their own hash, and cache entries under a name, over any key store."""

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.errors import StorageFull, TooLarge
from shared.objects.errors import (
    KeyInvalid,
    ObjectCorrupt,
    ObjectMissing,
    translate_os_errors,
)
from shared.objects.keys import KeyStore
from shared.objects.streams import Readable, Writable
from shared.observability.disk_space import is_disk_full

CHUNK_BYTES = 1 << 20
SPOOL_IN_MEMORY_BYTES = 8 << 20
TEMPORARY = "temporary files"


@dataclass(frozen=True)
class Stored:
    """What an object is known by from now on."""

    sha256: str
    size: int


class ObjectStore:
    """Immutable objects, each named by its SHA-256; put twice, it is kept once."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return f"ObjectStore({self._keys!r})"

    def put(
        self,
        source: Readable | bytes,
        *,
        max_bytes: int | None = None,
        anew: bool = False,
    ) -> Stored:
        """Keep the object; durable on return. Raises TooLarge at the first byte past `max_bytes`.

        What is there already is written only if it is put `anew`: the time that takes then tells nobody that it was.
        """
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with (
            _full_named(),
            tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY_BYTES) as spool,
        ):
            stored = _spool(stream, spool, max_bytes)
            key = _object_key(stored.sha256)
            if anew or not self._keys.exists(key):
                spool.seek(0)
                self._keys.write(key, spool, stored.size)
        return stored

    def get(self, sha256: str) -> bytes:
        """The object, checked against its hash; raises ObjectMissing, ObjectCorrupt."""
        data = self._keys.read(_object_key(sha256))
        _check(sha256, hashlib.sha256(data).hexdigest())
        return data

    def copy_to(self, sha256: str, target: Writable) -> int:
        """Stream a large object into `target` and return its size; on ObjectCorrupt discard what was written."""
        digest = hashlib.sha256()
        size = 0
        with self._keys.open(_object_key(sha256)) as source:
            for chunk in _chunks(source):
                digest.update(chunk)
                size += target.write(chunk)
        _check(sha256, digest.hexdigest())
        return size

    def exists(self, sha256: str) -> bool:
        return self._keys.exists(_object_key(sha256))

    def delete(self, sha256: str) -> None:
        self._keys.delete(_object_key(sha256))

    def put_named(self, name: str, value: bytes) -> None:
        """Keep a cache entry under a name, in place of what was there."""
        self._keys.write(_entry_key(name), io.BytesIO(value), len(value))

    def get_named(self, name: str) -> bytes | None:
        """The cache entry, or None where there is none."""
        try:
            return self._keys.read(_entry_key(name))
        except ObjectMissing:
            return None


def _object_key(sha256: str) -> str:
    """Two levels of folders, so that none grows past what a file system lists quickly."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise KeyInvalid(key=sha256)
    return f"objects/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _entry_key(name: str) -> str:
    return f"named/{name}"


@contextmanager
def _full_named() -> Iterator[None]:
    """What is buffered goes to the disk late, at the latest when the file is closed."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(what=TEMPORARY) from error
        raise


def _spool(source: Readable, spool: Writable, max_bytes: int | None) -> Stored:
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(source):
        size += len(chunk)
        if max_bytes is not None and size > max_bytes:
            raise TooLarge(limit_mib=f"{max_bytes / 2**20:.3g}")
        digest.update(chunk)
        with translate_os_errors(TEMPORARY):
            spool.write(chunk)
    return Stored(digest.hexdigest(), size)


def _chunks(source: Readable) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _check(expected: str, found: str) -> None:
    if found != expected:
        raise ObjectCorrupt(key=expected)
