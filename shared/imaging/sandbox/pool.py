"""A few processes that wait for images.

One that dies, hangs or swells is replaced while the others go on.
"""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from socket import SO_SNDBUF, SOL_SOCKET, socketpair

from prometheus_client import Counter

from shared.errors import InputError, Unavailable
from shared.imaging.deidentify import Cleaned, clean
from shared.imaging.errors import ImageBrokeDecoder, ImageUnreadable
from shared.imaging.image import UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.channel import Channel
from shared.imaging.sandbox.jobs import Job, Result, clean_job, decode_job
from shared.observability.logs import log
from shared.observability.metrics import REGISTRY

ROOT = Path(__file__).resolve().parents[3]
START_S = 60.0
AT_ONCE = 2**22
"""Bytes that may be under way, as far as the kernel lets it: fewer wake-ups for an image."""
TRIES = 2
"""An image whose process died is tried in another one: the image may not be to blame."""
KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""All that a process sees of the environment: no password and no key stands in it."""
LOST = Counter(
    "sera_decoder_restarts_total",
    "Decoders replaced, by why.",
    ["why"],
    registry=REGISTRY,
)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


class SandboxFailure(Exception):
    """The image crashes every process that it is given to, or passes its time."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class SandboxProcess:
    """A process that works on one image at a time."""

    def __init__(self, bounds: Bounds) -> None:
        """Start it and wait until it is ready (OSError)."""
        self._bounds = bounds
        command = [
            sys.executable,
            "-m",
            "shared.imaging.sandbox.process",
            str(bounds.memory_mib),
        ]
        environment = {
            name: os.environ[name] for name in KEPT if name in os.environ
        } | ONE_THREAD
        ours, theirs = socketpair()
        for end in (ours, theirs):
            end.setsockopt(SOL_SOCKET, SO_SNDBUF, AT_ONCE)
        with theirs:
            self.process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env=environment,
            )
        self._channel = Channel(ours)
        try:
            self._channel.receive(0, time.monotonic() + START_S)
        except OSError:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def run(self, job: Job[Result]) -> Result | InputError:
        """The result or the refusal.

        Raises
        ------
        TimeoutError
            past the time.
        OSError
            where the process is gone or astray.
        """
        until = time.monotonic() + self._bounds.seconds
        request = job.request | {"seconds": self._bounds.seconds + 1}
        self._channel.send(request, job.data, until)
        head, body = self._channel.receive(job.max_answer_bytes, until)
        try:
            return job.read_answer(head, body)
        except Exception as nonsense:
            raise ConnectionError("an answer that no process gives") from nonsense

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._channel.close()


class SandboxPool:
    """Processes that decode and clean.

    One thread that lives as long as they do starts them all, since the kernel ends a
    process with the thread that started it.
    """

    def __init__(self, bounds: Bounds, count: int) -> None:
        """The processes start with the first image, or with `start`."""
        self._bounds = bounds
        self._count = count
        self._lock = threading.Lock()
        self._idle: SimpleQueue[Future[SandboxProcess]] = SimpleQueue()
        self._all: set[SandboxProcess] = set()
        self._starter: ThreadPoolExecutor | None = None

    @property
    def pids(self) -> set[int]:
        return {process.process.pid for process in self._all}

    def start(self) -> None:
        """Start the processes in the background, unless that was done."""
        with self._lock:
            if self._starter is not None:
                return
            self._idle = SimpleQueue()
            self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")
            for _ in range(self._count):
                self._start_process()

    def close(self) -> None:
        """End them all; those at work too."""
        with self._lock:
            if self._starter is not None:
                self._starter.shutdown(cancel_futures=True)
            self._starter = None
            for process in self._all:
                process.end()
            self._all.clear()

    def decode(self, data: bytes, frame: int | None = None) -> UltrasoundImage:
        """As `shared.imaging.decode`, in a process.

        Raises
        ------
        What `shared.imaging.decode` raises, and
        ImageBrokeDecoder
            where the image crashes every process it is given to, or passes its time or
            its memory.
        Unavailable
            where no process can be started, which is no fault of the image.
        """
        try:
            return self._run(decode_job(data, frame, self._bounds.limits))
        except SandboxFailure as failure:
            raise ImageBrokeDecoder(problem=failure.problem) from None

    def clean(self, data: bytes, key: bytes) -> Cleaned:
        """As `shared.imaging.deidentify.clean`.

        A file whose frames have to be decoded goes to a process.

        Raises
        ------
        What `shared.imaging.deidentify.clean` raises, and
        ImageUnreadable
            also where the file crashes every process it is given to, or passes its time.
        ImageBrokeDecoder
            where it passes its memory.
        Unavailable
            where no process can be started, which is no fault of the file.
        """
        return clean(data, key, self._bounds.limits, decoding_clean=self._clean_apart)

    def _clean_apart(self, data: bytes, key: bytes, limits: Limits) -> Cleaned:
        try:
            return self._run(clean_job(data, key, limits))
        except SandboxFailure:
            raise ImageUnreadable(
                format="DICOM", problem="its frames cannot be decoded for cleaning"
            ) from None

    def _run(self, job: Job[Result]) -> Result:
        """Raises a refusal, SandboxFailure, Unavailable."""
        self.start()
        for _ in range(TRIES):
            process = self._take()
            try:
                outcome = process.run(job)
            except TimeoutError:
                self._replace(process, "hangs")
                raise SandboxFailure(
                    f"it takes longer than {self._bounds.seconds:g} s"
                ) from None
            except OSError:
                self._replace(process, "died")
                continue
            self._settle(process, outcome, job.reusable)
            if isinstance(outcome, InputError):
                raise outcome
            return outcome
        raise SandboxFailure("the programs that read images crash on it")

    def _settle(self, process: SandboxProcess, outcome: object, reusable: bool) -> None:
        """One that ran out of memory is not trusted with another image."""
        if isinstance(outcome, ImageBrokeDecoder):
            self._replace(process, "swelled")
        elif reusable:
            self._idle.put(_started(process))
        else:
            self._retire(process)

    def _take(self) -> SandboxProcess:
        """One that is ready; one that died while it waited costs nobody anything."""
        while True:
            try:
                process = self._idle.get().result()
            except OSError as error:
                self._start_process()
                raise Unavailable(service="The image decoder") from error
            if process.alive:
                return process
            self._replace(process, "died idle")

    def _replace(self, process: SandboxProcess, why: str) -> None:
        self._retire(process)
        LOST.labels(why).inc()
        log().warning("decoder.lost", why=why, status=process.process.returncode)

    def _retire(self, process: SandboxProcess) -> None:
        self._all.discard(process)
        process.end()
        self._start_process()

    def _start_process(self) -> None:
        """In the background; it waits with the others when it is ready, or has failed."""
        if self._starter is None:
            raise Unavailable(service="The image decoder")
        self._starter.submit(self._new).add_done_callback(self._idle.put)

    def _new(self) -> SandboxProcess:
        process = SandboxProcess(self._bounds)
        self._all.add(process)
        return process


def _started(process: SandboxProcess) -> "Future[SandboxProcess]":
    ready: Future[SandboxProcess] = Future()
    ready.set_result(process)
    return ready
