"""The folder of backups.

    objects/ab/cd/SHA256                 the objects of all backups, each once
    20261125T031500.250Z-1f0c9e3a7b52/   one complete backup, named by the time of its ledger and
                                         the hash of its manifest
        manifest.json  objects.gz  ledger/TABLE.gz  [keys/]
    withdrawn.json                       every erased case and revoked key that is known here
    .draft/                              a backup in progress, or an interrupted one

A backup gets its name when it is completely on the disk. Only the owner of the folder may read it.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from shared.errors import SeraError, StorageFull
from shared.objects import ObjectStore, open_store
from shared.objects.store import TEMPORARY
from shared.observability.disk_space import is_disk_full

BACKUP_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{12}")
DRAFT_FOLDER = ".draft"
REMOVED_FOLDER = ".old"
LOCK_FILE = ".lock"
WITHDRAWALS_FILE = "withdrawn.json"


class BackupNotFound(SeraError):
    code = "no-backup"
    text = (
        "There is no whole backup {name} in {place}. Name the folder that was given to `./sera "
        "backup`."
    )


class BackupFolderExposed(SeraError):
    code = "backup-place-open"
    text = (
        "{place} may be entered by every user of this machine, and a backup holds all that SERA "
        "knows. Close it: `chmod o= {place}`, then make the backup again."
    )


class BackupFolderBusy(SeraError):
    code = "backup-place-busy"
    text = (
        "Another backup is being made in {place}. Wait for it to end, then begin again."
    )


class BackupFolderUnwritable(SeraError):
    code = "backup-place-unwritable"
    text = (
        "No backup can be kept in {place} ({problem}). Free space there, or name a folder on a disk "
        "that you may write to."
    )


class BackupFolder:
    """A folder with backups. The first backup creates it."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @cached_property
    def objects(self) -> ObjectStore:
        return open_store(self.root.as_uri())

    @property
    def withdrawals_file(self) -> Path:
        return self.root / WITHDRAWALS_FILE

    def backup_names(self) -> list[str]:
        """The names of the complete backups, the oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(
            path.name
            for path in self.root.iterdir()
            if BACKUP_NAME.fullmatch(path.name) and path.is_dir()
        )

    def backup_folder(self, name: str | None = None) -> Path:
        """The folder of the backup with this name, or of the latest backup.

        Raises BackupNotFound.
        """
        names = self.backup_names()
        if not names or (name and name not in names):
            raise BackupNotFound(name=name or "", place=self.root)
        return self.root / (name or names[-1])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against a second writer, and create it if it is missing.

        New files are readable for their owner only. Remains of interrupted backups are removed.
        Raises BackupFolderExposed, BackupFolderBusy, BackupFolderUnwritable.
        """
        previous_umask = os.umask(0o077)
        try:
            with self._lock_file():
                for name in (DRAFT_FOLDER, REMOVED_FOLDER):
                    shutil.rmtree(self.root / name, ignore_errors=True)
                yield
        finally:
            os.umask(previous_umask)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """A folder to fill. It is removed afterwards unless `finish_draft` renamed it.

        Raises BackupFolderUnwritable if the disk of the backups becomes full meanwhile.
        """
        path = self.root / DRAFT_FOLDER
        path.mkdir()
        try:
            yield path
        except (OSError, StorageFull) as error:
            if not is_disk_full(error) or _is_of_temporary_files(error):
                raise
            raise BackupFolderUnwritable(
                place=self.root, problem=os.strerror(errno.ENOSPC)
            ) from error
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def finish_draft(self, draft: Path, name: str) -> Path:
        """Give the draft its name.

        Before that, the draft and all objects that already existed are flushed to the disk.
        """
        os.sync()
        folder = draft.rename(self.root / name)
        sync(self.root)
        return folder

    def remove_backup(self, name: str) -> None:
        """Rename the backup, then delete it, so that an interrupted deletion leaves no backup that
        looks complete.
        """
        removed = self.backup_folder(name).rename(self.root / REMOVED_FOLDER)
        shutil.rmtree(removed)

    def object_hashes(self) -> Iterator[str]:
        """The hashes of all objects in the folder."""
        paths = (self.root / "objects").rglob("*")
        return (path.name for path in paths if path.is_file())

    @contextmanager
    def _lock_file(self) -> Iterator[None]:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(
                self.root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise BackupFolderUnwritable(
                place=self.root, problem=error.strerror
            ) from error
        try:
            if stat.S_IMODE(self.root.stat().st_mode) & stat.S_IRWXO:
                raise BackupFolderExposed(place=self.root)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise BackupFolderBusy(place=self.root) from error
        finally:
            os.close(lock)


def _is_of_temporary_files(error: OSError | StorageFull) -> bool:
    return isinstance(error, StorageFull) and error.facts.get("what") == TEMPORARY


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically. Only its owner may read it."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text)
    draft.chmod(0o600)
    sync(draft)
    draft.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
