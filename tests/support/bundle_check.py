"""The process that loads bundles from outside, once for all tests of a process.

It takes seconds to load PyTorch, and a test that serves a model does not test that.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from shared.bundles import first_load
from shared.sandbox.channel import Head
from shared.sandbox.launcher import SandboxProcess

MEMORY_MIB = 8192


class SharedBundleCheck:
    """Stands where `first_load.open_process` does, and lends one real process at a time."""

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1)
        """A process ends with the thread that started it."""
        self._lock = Lock()
        self._process: SandboxProcess | None = None

    def lend(self, size_bytes: int) -> "SharedBundleCheck":
        self._lock.acquire()
        if self._process is not None and not self._process.is_alive:
            self._process.end()
            self._process = None
        if self._process is None:
            self._process = self._starter.submit(self._start).result()
        return self

    def call(
        self, request: Head, data: bytes, max_result_bytes: int
    ) -> tuple[Head, bytearray]:
        assert self._process is not None
        return self._process.call(request, data, max_result_bytes)

    def end(self) -> None:
        self._lock.release()

    def close(self) -> None:
        if self._process is not None:
            self._process.end()
        self._starter.shutdown()

    @staticmethod
    def _start() -> SandboxProcess:
        return SandboxProcess(
            first_load.PROCESS_MODULE,
            memory_mib=MEMORY_MIB,
            seconds=first_load.SECONDS,
        )
