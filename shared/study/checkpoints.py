"""Stores intermediate results on disk, so that an interrupted study continues where it stopped."""

import hashlib
import os
import tempfile
from pathlib import Path

from shared.study.errors import OutputUnwritable

DIGEST_BYTES = 32
LENGTH_BYTES = 8
HEADER_BYTES = DIGEST_BYTES + LENGTH_BYTES


class FolderCache:
    """A `FeatureCache` with one file for each key, named by the hash of the key.

    An entry has its length and a SHA-256 over key and content. An entry that was cut short,
    damaged or moved counts as absent and is computed again. Entries are written atomically.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def check_writable(self) -> None:
        """Try the folder, so that one that cannot be written is named before hours of learning.

        Raises OutputUnwritable.
        """
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path) as file:
                file.write(bytes(HEADER_BYTES))
        except OSError as error:
            raise OutputUnwritable(path=self._path, problem=error.strerror) from error

    def get(self, key: str) -> bytes | None:
        try:
            entry = self._entry_path(key).read_bytes()
        except OSError:
            return None
        digest = entry[:DIGEST_BYTES]
        length = int.from_bytes(entry[DIGEST_BYTES:HEADER_BYTES])
        content = entry[HEADER_BYTES:]
        if length != len(content) or digest != _digest(key, content):
            return None
        return content

    def put(self, key: str, vector: bytes) -> None:
        """Store an entry; raises OutputUnwritable."""
        header = _digest(key, vector) + len(vector).to_bytes(LENGTH_BYTES)
        try:
            write_atomically(self._entry_path(key), header + vector)
        except OSError as error:
            raise OutputUnwritable(path=self._path, problem=error.strerror) from error

    def _entry_path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._path / name[:2] / name


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside the target, then rename it.

    Any process that opens the path gets the complete old file or the complete new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary_name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary_name, 0o644)
        os.replace(temporary_name, path)
    finally:
        Path(temporary_name).unlink(missing_ok=True)


def _digest(key: str, content: bytes) -> bytes:
    key_digest = hashlib.sha256(key.encode()).digest()
    return hashlib.sha256(key_digest + content).digest()
