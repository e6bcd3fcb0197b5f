"""What passes between a pool and its processes: a short JSON head and raw bytes.

Each has its length before it.

Nothing that could run code ever passes, and nothing is longer than the reader lets it be: the other end may have been
taken over by the image that it reads.
"""

import json
import socket
import time
from struct import Struct
from typing import Any

LENGTHS = Struct(">II")
MOST_HEAD = 256 * 1024
"""Bytes; the names of all that the standard lets a file hold are fewer."""

Head = dict[str, Any]


class Channel:
    """One end of a socket; raises OSError where the other end is gone or does not keep to the form."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(
        self, head: Head, body: bytes | memoryview = b"", until: float | None = None
    ) -> None:
        """Send a message; TimeoutError past a moment of `time.monotonic`."""
        told = json.dumps(head).encode()
        self._limit(until)
        self._end.sendall(LENGTHS.pack(len(told), len(body)) + told)
        self._limit(until)
        self._end.sendall(body)

    def receive(
        self, most_body: int, until: float | None = None
    ) -> tuple[Head, bytearray]:
        """The next message; TimeoutError past a moment of `time.monotonic`."""
        head_length, body_length = LENGTHS.unpack(self._exactly(LENGTHS.size, until))
        if head_length > MOST_HEAD or body_length > most_body:
            raise ConnectionError("a message longer than may be")
        head = json.loads(self._exactly(head_length, until))
        if not isinstance(head, dict):
            raise ConnectionError("a message without a head")
        return head, self._exactly(body_length, until)

    def close(self) -> None:
        self._end.close()

    def _exactly(self, length: int, until: float | None) -> bytearray:
        received = bytearray(length)
        rest = memoryview(received)
        while rest:
            self._limit(until)
            count = self._end.recv_into(rest)
            if not count:
                raise ConnectionError("the other end is gone")
            rest = rest[count:]
        return received

    def _limit(self, until: float | None) -> None:
        if until is not None:
            self._end.settimeout(max(until - time.monotonic(), 1e-6))
