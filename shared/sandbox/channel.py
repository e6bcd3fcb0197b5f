"""Messages between a launcher and its processes.

A message is a short JSON head and a raw body, each preceded by its length. A malicious file may
have taken over the process at the other end. Therefore no message can carry code, and the receiver
limits every length.
"""

import json
import socket
import time
from struct import Struct
from typing import Any

LENGTHS = Struct(">II")
MAX_HEAD_BYTES = 256 * 1024
"""Enough for the names of all attributes that the DICOM standard allows in a file."""

Head = dict[str, Any]


class Channel:
    """One end of a socket. Raises OSError if the other end is gone or sends a malformed message."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(
        self,
        head: Head,
        body: bytes | memoryview = b"",
        deadline: float | None = None,
    ) -> None:
        """Send a message. Raises TimeoutError after the deadline (of `time.monotonic`)."""
        encoded_head = json.dumps(head).encode()
        lengths = LENGTHS.pack(len(encoded_head), len(body))
        self._set_timeout(deadline)
        self._connection.sendall(lengths + encoded_head)
        self._set_timeout(deadline)
        self._connection.sendall(body)

    def receive(
        self, max_body_bytes: int, deadline: float | None = None
    ) -> tuple[Head, bytearray]:
        """Return the next message. Raises TimeoutError after the deadline (of `time.monotonic`)."""
        lengths = self._receive_exactly(LENGTHS.size, deadline)
        head_length, body_length = LENGTHS.unpack(lengths)
        if head_length > MAX_HEAD_BYTES or body_length > max_body_bytes:
            raise ConnectionError("a message that is too long")
        head = json.loads(self._receive_exactly(head_length, deadline))
        if not isinstance(head, dict):
            raise ConnectionError("a message without a head")
        body = self._receive_exactly(body_length, deadline)
        return head, body

    def close(self) -> None:
        self._connection.close()

    def _receive_exactly(self, length: int, deadline: float | None) -> bytearray:
        received = bytearray(length)
        remaining = memoryview(received)
        while remaining:
            self._set_timeout(deadline)
            count = self._connection.recv_into(remaining)
            if not count:
                raise ConnectionError("the other end is gone")
            remaining = remaining[count:]
        return received

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is not None:
            remaining_s = deadline - time.monotonic()
            self._connection.settimeout(max(remaining_s, 1e-6))
