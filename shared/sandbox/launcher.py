"""Starts the processes that touch foreign bytes. There is no other way to start one."""

import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from socket import SO_SNDBUF, SOL_SOCKET, socketpair

from shared.observability.logs import log
from shared.sandbox.channel import Channel, Head

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
SOCKET_BUFFER_BYTES = 2**22
"""The kernel may grant less. A large buffer needs fewer wake-ups for an image."""
INHERITED = ("PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""The only variables that a process inherits: none of them holds a password or a key."""
GIVEN = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
"""One thread and no GPU."""


class SandboxProcess:
    """A confined process that answers one request at a time.

    It ends with the thread that starts it.
    """

    def __init__(self, module: str, *, memory_mib: int, seconds: float) -> None:
        """Start the process and wait until it is ready. Raises OSError if it does not start.

        Parameters
        ----------
        module : its main module, which calls `shared.sandbox.server.serve`
        memory_mib : address space beyond what it uses after its start
        seconds : wall-clock time of a request
        """
        self._seconds = seconds
        launcher_end, process_end = socketpair()
        for connection in (launcher_end, process_end):
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with process_end:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(memory_mib)],
                stdin=process_end.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env=inherited | GIVEN,
            )
        self._channel = Channel(launcher_end)
        try:
            deadline = time.monotonic() + START_S
            ready, _ = self._channel.receive(max_body_bytes=0, deadline=deadline)
        except OSError:
            self.end()
            raise
        if ready["missing"]:
            _warn_of_missing(", ".join(ready["missing"]))

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def call(
        self, request: Head, data: bytes, max_result_bytes: int
    ) -> tuple[Head, bytearray]:
        """Return the head and body of the result. Nothing in them is to be trusted.

        Raises
        ------
        TimeoutError
            if the request takes too long.
        OSError
            if the process is gone or its message is malformed.
        """
        deadline = time.monotonic() + self._seconds
        timed_request = request | {"seconds": self._seconds + 1}
        self._channel.send(timed_request, data, deadline)
        try:
            return self._channel.receive(max_result_bytes, deadline)
        except ValueError as error:
            raise ConnectionError("a malformed message") from error

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._channel.close()


@cache
def _warn_of_missing(mechanisms: str) -> None:
    """Say once in the log what the kernel lacks; `./sera doctor` says what that means."""
    log().warning("sandbox.unconfined", missing=mechanisms)
