"""Intermediate results on disk, so that an interrupted study goes on where it was."""

import hashlib
import os
import tempfile
from pathlib import Path

from shared.study.errors import OutputUnwritable

DIGEST_BYTES = 32
LENGTH_BYTES = 8


class FolderCache:
    """A `FeatureCache` of one file for each key, named by the key's hash.

    An entry is written beside its place and renamed into it, and carries its length and a SHA-256 over key and
    content: one that was cut short, damaged or moved counts as absent and is made anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> bytes | None:
        try:
            entry = self._place(key).read_bytes()
        except OSError:
            return None
        digest, length, content = _parts(entry)
        whole = length == len(content) and digest == _digest(key, content)
        return content if whole else None

    def put(self, key: str, vector: bytes) -> None:
        """Keep an entry; raises OutputUnwritable."""
        try:
            write_atomically(
                self._place(key),
                _digest(key, vector) + len(vector).to_bytes(LENGTH_BYTES) + vector,
            )
        except OSError as error:
            raise OutputUnwritable(path=self._path, problem=error.strerror) from error

    def _place(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._path / name[:2] / name


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the target, then rename: a reader finds the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def _parts(entry: bytes) -> tuple[bytes, int, bytes]:
    head = DIGEST_BYTES + LENGTH_BYTES
    return entry[:DIGEST_BYTES], int.from_bytes(entry[DIGEST_BYTES:head]), entry[head:]


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key.encode()).digest() + content).digest()
