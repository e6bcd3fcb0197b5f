"""The folder of one stack: where its data, logs and sockets lie, and who holds it."""

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
"""Bytes the kernel takes for a Unix socket's path."""
LONGEST_SOCKET = "/postgres/.s.PGSQL.5432"
PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")
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
        """Create what is missing, for our eyes only; `run` may be passed through, its contents are
        closed.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o711, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the home against a second stack; the kernel lets go of it when we die."""
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
            _sign(descriptor)
            yield
        finally:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    @contextmanager
    def sockets(self) -> Iterator[Path]:
        """A folder for sockets: ours, or a short private one where our path is too long or needs
        quoting.
        """
        own = self.run / "sockets"
        if (
            PLAIN.fullmatch(str(own))
            and len(f"{own}{LONGEST_SOCKET}") <= SOCKET_PATH_CAP
        ):
            own.mkdir(mode=0o711, exist_ok=True)
            yield own
            return
        short = Path(tempfile.mkdtemp(prefix="sera-", dir=_short_parent()))
        short.chmod(0o711)  # the servers' own folders below are 0700
        try:
            yield short
        finally:
            shutil.rmtree(short, ignore_errors=True)


def _sign(descriptor: int) -> None:
    since = datetime.now(UTC).astimezone().isoformat(sep=" ", timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(
        descriptor,
        json.dumps(
            {"pid": os.getpid(), "user": user_name(os.geteuid()), "since": since}
        ).encode(),
        0,
    )


def _short_parent() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = (
        PLAIN.fullmatch(runtime)
        and len(runtime) < SOCKET_PATH_CAP // 2
        and os.access(runtime, os.W_OK)
    )
    return runtime if usable else "/tmp"
