"""A pool of sandbox processes.

A process that dies, hangs or exceeds its memory is replaced while the others continue.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from queue import SimpleQueue

from prometheus_client import Counter

from shared.errors import InputError, Unavailable
from shared.imaging.deidentify import CleanedFile, clean
from shared.imaging.errors import ImageDecoderFailed, ImageUnreadable
from shared.imaging.file_type import sniff
from shared.imaging.image import Box, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.checked import CheckedImage
from shared.imaging.sandbox.jobs import (
    Job,
    Result,
    check_job,
    clean_job,
    clean_mask_job,
    decode_job,
)
from shared.observability.logs import log
from shared.observability.metrics import REGISTRY
from shared.sandbox.launcher import SandboxProcess

PROCESS_MODULE = "shared.imaging.sandbox.process"
MAX_ATTEMPTS = 2
"""An image whose process died is tried in another process, because it may not be the cause."""
RESTARTS = Counter(
    "sera_decoder_restarts_total",
    "Decoders replaced, by why.",
    ["why"],
    registry=REGISTRY,
)


class SandboxFailure(Exception):
    """The image crashed every process that tried it, or exceeded its time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DecoderProcess:
    """A process that works on one image at a time."""

    def __init__(self, bounds: Bounds) -> None:
        """Start the process and wait until it is ready. Raises OSError if it does not start."""
        self._sandbox = SandboxProcess(
            PROCESS_MODULE, memory_mib=bounds.memory_mib, seconds=bounds.seconds
        )

    @property
    def pid(self) -> int:
        return self._sandbox.process.pid

    @property
    def exit_code(self) -> int | None:
        return self._sandbox.process.returncode

    @property
    def is_alive(self) -> bool:
        return self._sandbox.is_alive

    def run(self, job: Job[Result]) -> Result | InputError:
        """Return the result, or the error that refuses the image.

        Raises
        ------
        TimeoutError
            if the job takes too long.
        OSError
            if the process is gone or its result is malformed.
        """
        head, body = self._sandbox.call(job.request, job.data, job.max_result_bytes)
        try:
            return job.read_result(head, body)
        except Exception as error:
            raise ConnectionError("a malformed answer") from error

    def end(self) -> None:
        self._sandbox.end()


class SandboxPool:
    """Processes that decode and de-identify.

    One thread starts all processes and lives as long as they do, because the kernel ends a process
    when the thread that started it ends.
    """

    def __init__(self, bounds: Bounds, count: int) -> None:
        """Create an empty pool. No process starts before the first image or a call of `start`."""
        self._bounds = bounds
        self._count = count
        self._lock = threading.Lock()
        self._idle: SimpleQueue[Future[DecoderProcess]] = SimpleQueue()
        self._all: set[DecoderProcess] = set()
        self._starter: ThreadPoolExecutor | None = None

    @property
    def pids(self) -> set[int]:
        return {process.pid for process in self._all}

    def start(self) -> None:
        """Start the processes in the background, if they are not started."""
        with self._lock:
            if self._starter is not None:
                return
            self._idle = SimpleQueue()
            self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")
            for _ in range(self._count):
                self._start_process()

    def close(self) -> None:
        """End all processes, also those that are working on an image."""
        with self._lock:
            if self._starter is not None:
                self._starter.shutdown(cancel_futures=True)
            self._starter = None
            for process in self._all:
                process.end()
            self._all.clear()

    def decode(self, data: bytes, frame: int | None = None) -> UltrasoundImage:
        """Run `shared.imaging.decode` in a sandbox process.

        Raises
        ------
        The errors of `shared.imaging.decode`, and
        ImageDecoderFailed
            if the image crashes every process that tries it, or exceeds its time or memory.
        Unavailable
            if no process can be started; the image is not the cause.
        """
        return self._decode(decode_job(data, frame, self._bounds.limits))

    def check(
        self, data: bytes, frame: int | None = None, *, find_text: bool = False
    ) -> CheckedImage:
        """Decode an image in a sandbox process, and return what is known of it but its pixels.

        With `find_text` text beside the tissue is looked for. Raises the errors of `decode`.
        """
        limits = self._bounds.limits
        return self._decode(check_job(data, frame, limits, find_text=find_text))

    def clean_mask(self, data: bytes, width: int, height: int) -> CleanedFile:
        """Run `shared.imaging.deidentify.clean_mask` in a sandbox process.

        Raises
        ------
        The errors of `shared.imaging.deidentify.clean_mask`, ImageDecoderFailed and Unavailable as
        `decode` does.
        """
        return self._decode(clean_mask_job(data, width, height, self._bounds.limits))

    def clean(
        self,
        data: bytes,
        key: bytes,
        *,
        place: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> CleanedFile:
        """Run `shared.imaging.deidentify.clean`.

        Only files whose pixels must be decoded use a sandbox process. `place` is entered meanwhile.

        Raises
        ------
        The errors of `shared.imaging.deidentify.clean`, and
        ImageUnreadable
            also if the file crashes every process that tries it, or exceeds its time.
        ImageDecoderFailed
            if it exceeds its memory.
        Unavailable
            if no process can be started; the file is not the cause.
        """
        decoding_clean = partial(self._clean_in_process, place)
        return clean(data, key, self._bounds.limits, decoding_clean=decoding_clean)

    def clean_and_paint(
        self,
        data: bytes,
        key: bytes,
        *,
        blanks_text: bool = True,
        covers: Sequence[Box] = (),
    ) -> CleanedFile:
        """Run `shared.imaging.deidentify.clean_and_paint` in a sandbox process.

        Raises its errors and those of `clean`.
        """
        limits = self._bounds.limits
        return self._clean(
            clean_job(data, key, limits, blanks_text=blanks_text, covers=covers)
        )

    def _decode(self, job: Job[Result]) -> Result:
        try:
            return self._run(job)
        except SandboxFailure as failure:
            raise ImageDecoderFailed(problem=failure.reason) from None

    def _clean_in_process(
        self,
        place: Callable[[], AbstractContextManager[None]],
        data: bytes,
        key: bytes,
        limits: Limits,
    ) -> CleanedFile:
        with place():
            return self._clean(clean_job(data, key, limits))

    def _clean(self, job: Job[CleanedFile]) -> CleanedFile:
        try:
            return self._run(job)
        except SandboxFailure:
            image_format = sniff(job.data)
            raise ImageUnreadable(
                format=image_format.upper(),
                problem="its pixels cannot be decoded for cleaning",
            ) from None

    def _run(self, job: Job[Result]) -> Result:
        """Run a job in a process.

        Raises the InputError that refuses the image, SandboxFailure or Unavailable.
        """
        self.start()
        for _ in range(MAX_ATTEMPTS):
            process = self._take_idle()
            try:
                outcome = process.run(job)
            except TimeoutError:
                self._replace(process, reason="hangs")
                raise SandboxFailure(
                    f"it takes longer than {self._bounds.seconds:g} s"
                ) from None
            except OSError:
                self._replace(process, reason="died")
                continue
            self._release(process, outcome, is_reusable=job.reusable)
            if isinstance(outcome, InputError):
                raise outcome
            return outcome
        raise SandboxFailure("the programs that read images crash on it")

    def _release(
        self, process: DecoderProcess, outcome: object, is_reusable: bool
    ) -> None:
        """Return a process to the pool, or replace it.

        A process that ran out of memory does not get another image.
        """
        if isinstance(outcome, ImageDecoderFailed):
            self._replace(process, reason="swelled")
        elif is_reusable:
            ready: Future[DecoderProcess] = Future()
            ready.set_result(process)
            self._idle.put(ready)
        else:
            self._retire(process)

    def _take_idle(self) -> DecoderProcess:
        """Wait for a process that is ready.

        A process that died while idle is replaced. This does not count as an attempt.
        """
        while True:
            try:
                process = self._idle.get().result()
            except OSError as error:
                self._start_process()
                raise Unavailable(service="The image decoder") from error
            if process.is_alive:
                return process
            self._replace(process, reason="died idle")

    def _replace(self, process: DecoderProcess, reason: str) -> None:
        self._retire(process)
        RESTARTS.labels(reason).inc()
        log().warning("decoder.lost", why=reason, status=process.exit_code)

    def _retire(self, process: DecoderProcess) -> None:
        """End this process and start another one."""
        self._all.discard(process)
        process.end()
        self._start_process()

    def _start_process(self) -> None:
        """Start a process in the background.

        It becomes idle when it is ready or has failed to start.
        """
        if self._starter is None:
            raise Unavailable(service="The image decoder")
        self._starter.submit(self._create).add_done_callback(self._idle.put)

    def _create(self) -> DecoderProcess:
        process = DecoderProcess(self._bounds)
        self._all.add(process)
        return process
