"""A key store in a directory. A value is written to a partial file, synced, then renamed."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from shared.objects.errors import ObjectMissing, translate_os_errors
from shared.objects.keys import check_key, check_prefix, is_key
from shared.objects.streams import Readable, Writable

PARTIAL_SUFFIX = ".partial"
CHUNK_BYTES = 1 << 20
IMAGES = "images and models"


class DirectoryStore:
    """A value is complete or missing, also after a crash at any moment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._partial = root / PARTIAL_SUFFIX
        with translate_os_errors(IMAGES):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._partial.mkdir(exist_ok=True, mode=0o700)
            self._sweep()

    def __repr__(self) -> str:
        return f"DirectoryStore({str(self.root)!r})"

    def write(self, key: str, source: Readable, size: int) -> None:
        target = self._path(key)
        with translate_os_errors(IMAGES), self._new_partial() as partial:
            _copy(source, partial, size)
            partial.flush()
            os.fsync(partial.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial.name, target)
            self._sync_folders_above(target)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream, translate_os_errors(IMAGES):
            return stream.read()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        with translate_os_errors(IMAGES):
            try:
                stream = open(  # noqa: SIM115
                    self._path(key), "rb", opener=_open_without_waiting
                )
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                # If this folder is missing, the store is unavailable: a mount may be lost.
                self._partial.stat()
                raise ObjectMissing(key=key) from None
        with stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ObjectMissing(key=key)
            yield stream

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with translate_os_errors(IMAGES):
            if not path.is_file():
                self._partial.stat()
                return False
            # The writer may have died between rename and sync. A caller relies on the value, so it
            # is made durable here.
            self._sync_folders_above(path)
            return True

    def delete(self, key: str) -> None:
        path = self._path(key)
        with translate_os_errors(IMAGES), suppress(FileNotFoundError):
            path.unlink()
            _sync_folder(path.parent)

    def keys(self, prefix: str = "") -> Iterator[str]:
        folder = self.root / check_prefix(prefix).rpartition("/")[0]
        with translate_os_errors(IMAGES):
            files = [
                path.relative_to(self.root).as_posix()
                for path in folder.rglob("*")
                if path.is_file()
            ]
        yield from sorted(
            key for key in files if key.startswith(prefix) and is_key(key)
        )

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _sync_folders_above(self, path: Path) -> None:
        for folder in path.parents:
            _sync_folder(folder)
            if folder == self.root:
                return

    @contextmanager
    def _new_partial(self) -> Iterator[BinaryIO]:
        """A temporary file, removed afterwards unless it was renamed."""
        with self._create_locked() as partial:
            try:
                yield partial
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(partial.name)

    def _create_locked(self) -> BinaryIO:
        """Create a locked partial file. The system releases the lock when the writer ends."""
        while True:
            partial = open(  # noqa: SIM115
                self._partial / secrets.token_hex(16), "xb", opener=_owner_only
            )
            fcntl.flock(partial, fcntl.LOCK_EX)
            if os.fstat(partial.fileno()).st_nlink:
                return partial
            partial.close()  # another process removed the file before it was locked

    def _sweep(self) -> None:
        """Remove the partial files of dead writers."""
        for path in self._partial.iterdir():
            with (
                suppress(FileNotFoundError, BlockingIOError),
                path.open("rb") as partial,
            ):
                fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file. A pipe in its place is opened without waiting for its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Readable, target: Writable, size: int) -> None:
    remaining = size
    while remaining:
        chunk = source.read(min(CHUNK_BYTES, remaining))
        if not chunk:
            raise EOFError(f"the source ended {remaining} bytes early")
        target.write(chunk)
        remaining -= len(chunk)
