"""The object store: objects under their own hash and cache entries under a name."""

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
class StoredObject:
    """The name and the size of a stored object."""

    sha256: str
    size: int


class ObjectStore:
    """Immutable objects named by their SHA-256, over any key store.

    An object that is put twice is stored once.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return f"ObjectStore({self._keys!r})"

    def put(
        self,
        source: Readable | bytes,
        *,
        max_bytes: int | None = None,
        overwrite: bool = False,
    ) -> StoredObject:
        """Store the object; it is durable on return. Raises TooLarge past `max_bytes`.

        An existing object is written again only with `overwrite`. With `overwrite`, the
        duration of the call does not reveal whether the object was known.
        """
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with (
            _translated_full_disk(),
            tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY_BYTES) as spool,
        ):
            stored = _spool(stream, spool, max_bytes)
            key = _object_key(stored.sha256)
            if overwrite or not self._keys.exists(key):
                spool.seek(0)
                self._keys.write(key, spool, stored.size)
        return stored

    def get(self, sha256: str) -> bytes:
        """Return the object, verified against its hash. Raises ObjectMissing, ObjectCorrupt."""
        data = self._keys.read(_object_key(sha256))
        _check(sha256, hashlib.sha256(data).hexdigest())
        return data

    def copy_to(self, sha256: str, target: Writable) -> int:
        """Stream a large object into `target` and return its size.

        Raises ObjectMissing, ObjectCorrupt. After ObjectCorrupt the caller discards the written
        bytes.
        """
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
        """Store a cache entry under a name and replace an earlier one."""
        self._keys.write(_entry_key(name), io.BytesIO(value), len(value))

    def get_named(self, name: str) -> bytes | None:
        """Return the cache entry; None if there is none."""
        try:
            return self._keys.read(_entry_key(name))
        except ObjectMissing:
            return None


def _object_key(sha256: str) -> str:
    """Two levels of folders, so that a file system lists each of them quickly."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise KeyInvalid(key=sha256)
    return f"objects/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _entry_key(name: str) -> str:
    return f"named/{name}"


@contextmanager
def _translated_full_disk() -> Iterator[None]:
    """Raises StorageFull for a full disk. Buffered bytes may be written only at the close."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(what=TEMPORARY) from error
        raise


def _spool(source: Readable, spool: Writable, max_bytes: int | None) -> StoredObject:
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(source):
        size += len(chunk)
        if max_bytes is not None and size > max_bytes:
            raise TooLarge(limit_mib=f"{max_bytes / 2**20:.3g}")
        digest.update(chunk)
        with translate_os_errors(TEMPORARY):
            spool.write(chunk)
    return StoredObject(sha256=digest.hexdigest(), size=size)


def _chunks(source: Readable) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _check(expected: str, actual: str) -> None:
    if actual != expected:
        raise ObjectCorrupt(key=expected)
