"""A line to a server that can be made to fall silent or to break, as lines do."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

CHUNK_BYTES = 65536
RESET = struct.pack("ii", 1, 0)


class Line(StrEnum):
    GOOD = "good"
    SILENT = "silent"
    RESET = "reset"


class Proxy:
    """Forwards connections to an endpoint while its line is good."""

    def __init__(self, endpoint: str, door: socket.socket) -> None:
        host, _, port = endpoint.partition(":")
        self._target = (host, int(port))
        self._door = door
        self.endpoint = f"127.0.0.1:{door.getsockname()[1]}"
        self.line = Line.GOOD
        self._open: list[socket.socket] = []

    def serve(self) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                client, _ = self._door.accept()
                self._open.append(client)
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        for item in self._open:
            item.close()

    def _join(self, client: socket.socket) -> None:
        far = socket.create_connection(self._target)
        self._open.append(far)
        threading.Thread(target=self._pass, args=(far, client), daemon=True).start()
        self._pass(client, far)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(CHUNK_BYTES):
                if self.line is Line.RESET:
                    for item in (source, target):
                        item.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        item.close()
                    return
                if self.line is Line.GOOD:
                    target.sendall(part)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(endpoint: str) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        proxy = Proxy(endpoint, door)
        thread = threading.Thread(target=proxy.serve)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            thread.join()
