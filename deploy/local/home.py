"""The folder of one stack: paths of its data, logs and sockets, and the lock on it."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.errors import AlreadyRunning
from deploy.local.identity import user_name

SOCKET_PATH_CAP = 107
"""The kernel's limit for the path of a Unix socket, in bytes."""
LONGEST_SOCKET = "/postgres/.s.PGSQL.5432"
UNQUOTED_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
"""Paths that need no quoting in a URL, a libpq host list or a server's option."""


@dataclass(frozen=True)
class Home:
    """Paths below $SERA_HOME."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def database(self) -> Path:
        return self.root / "postgres"

    @property
    def state_file(self) -> Path:
        return self.run / "stack.json"

    def log(self, child: str) -> Path:
        return self.logs / f"{child}.log"

    def ready_file(self, child: str) -> Path:
        return self.run / f"{child}.ready"

    def alive_file(self, child: str) -> Path:
        return self.run / f"{child}.alive"

    def make(self) -> None:
        """Create missing folders, readable by this user only.

        Other users can pass through `run`, but not read its contents.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o711, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the home against a second stack. The kernel releases the lock when this process
        ends.
        """
        descriptor = os.open(
            self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            holder = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
            os.close(descriptor)
            facts = {"pid": "unknown", "user": "unknown", "since": "just now"} | holder
            raise AlreadyRunning(home=self.root, **facts) from busy
        try:
            _write_holder(descriptor)
            yield
        finally:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    @contextmanager
    def sockets(self) -> Iterator[Path]:
        """A folder for sockets.

        It is inside the home, or it is a short temporary folder if the path of the home is too long
        or needs quoting.
        """
        sockets = self.run / "sockets"
        path_length = len(f"{sockets}{LONGEST_SOCKET}")
        if UNQUOTED_PATH.fullmatch(str(sockets)) and path_length <= SOCKET_PATH_CAP:
            sockets.mkdir(mode=0o711, exist_ok=True)
            yield sockets
            return
        short_folder = Path(tempfile.mkdtemp(prefix="sera-", dir=_short_parent()))
        short_folder.chmod(0o711)  # the servers' own folders below are 0700
        try:
            yield short_folder
        finally:
            shutil.rmtree(short_folder, ignore_errors=True)


def _write_holder(descriptor: int) -> None:
    """Write who holds the lock into the lock file."""
    started_at = datetime.now(UTC).astimezone()
    holder = {
        "pid": os.getpid(),
        "user": user_name(os.geteuid()),
        "since": started_at.isoformat(sep=" ", timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _short_parent() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = (
        UNQUOTED_PATH.fullmatch(runtime)
        and len(runtime) < SOCKET_PATH_CAP // 2
        and os.access(runtime, os.W_OK)
    )
    return runtime if usable else "/tmp"
