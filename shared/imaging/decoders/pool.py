"""A few decoders that wait for images; one that dies, hangs or swells is replaced while the others go on."""

import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from socket import SO_SNDBUF, SOL_SOCKET, socketpair

from prometheus_client import Counter

from shared.errors import InputError, Unavailable
from shared.imaging.decoders.bounds import Bounds
from shared.imaging.decoders.channel import Channel
from shared.imaging.decoders.wire import understood
from shared.imaging.errors import ImageBrokeDecoder
from shared.imaging.image import UltrasoundImage
from shared.observability.logs import log
from shared.observability.metrics import REGISTRY

ROOT = Path(__file__).resolve().parents[3]
START_S = 60.0
AT_ONCE = 2**22
"""Bytes that may be under way, as far as the kernel lets it: fewer wake-ups for an image."""
TRIES = 2
"""An image whose decoder died is tried in another one: a decoder may also be killed through no fault of the image."""
KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""All that a decoder sees of the environment: no password and no key stands in it."""
LOST = Counter(
    "sera_decoder_restarts_total",
    "Decoders replaced, by why.",
    ["why"],
    registry=REGISTRY,
)
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


class Decoder:
    """A process that decodes one image at a time."""

    def __init__(self, bounds: Bounds) -> None:
        """Start it and wait until it is ready (OSError)."""
        self._bounds = bounds
        command = [
            sys.executable,
            "-m",
            "shared.imaging.decoders.process",
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

    def decode(self, data: bytes, frame: int | None) -> UltrasoundImage | InputError:
        """The image or the refusal; TimeoutError past the time, another OSError where the process is gone or astray."""
        until = time.monotonic() + self._bounds.seconds
        limits = self._bounds.limits
        asked = {
            "seconds": self._bounds.seconds + 1,
            "limits": asdict(limits),
            "frame": frame,
        }
        self._channel.send(asked, data, until)
        try:
            return understood(*self._channel.receive(limits.max_pixels, until), limits)
        except OSError:
            raise
        except Exception as nonsense:
            raise ConnectionError("an answer that no decoder gives") from nonsense

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._channel.close()


class Decoders:
    """All are started by one thread that lives as long as they do, since the kernel ends them with their starter."""

    def __init__(self, bounds: Bounds, count: int) -> None:
        self._bounds = bounds
        self._idle: SimpleQueue[Future[Decoder]] = SimpleQueue()
        self._all: set[Decoder] = set()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decoder-starter")
        for _ in range(count):
            self._start()

    @property
    def pids(self) -> set[int]:
        return {decoder.process.pid for decoder in self._all}

    def decode(self, data: bytes, frame: int | None = None) -> UltrasoundImage:
        """As `shared.imaging.decode`, elsewhere.

        Raises
        ------
        What `shared.imaging.decode` raises, and
        ImageBrokeDecoder
            where the image crashes every decoder it is given to, or passes its time or its memory.
        Unavailable
            where no decoder can be started, which is no fault of the image.
        """
        for _ in range(TRIES):
            decoder = self._take()
            try:
                outcome = decoder.decode(data, frame)
            except TimeoutError:
                self._replace(decoder, "hangs")
                raise ImageBrokeDecoder(
                    problem=f"it takes longer than {self._bounds.seconds:g} s"
                ) from None
            except OSError:
                self._replace(decoder, "died")
                continue
            return self._settle(decoder, outcome)
        raise ImageBrokeDecoder(problem="the programs that read images crash on it")

    def close(self) -> None:
        """End them all; those at work too."""
        self._starter.shutdown(cancel_futures=True)
        for decoder in self._all:
            decoder.end()

    def _settle(
        self, decoder: Decoder, outcome: UltrasoundImage | InputError
    ) -> UltrasoundImage:
        """One that ran out of memory is not trusted with another image."""
        if isinstance(outcome, ImageBrokeDecoder):
            self._replace(decoder, "swelled")
        else:
            self._idle.put(_started(decoder))
        if isinstance(outcome, InputError):
            raise outcome
        return outcome

    def _take(self) -> Decoder:
        """One that is ready; one that died while it waited costs nobody anything."""
        while True:
            try:
                decoder = self._idle.get().result()
            except OSError as error:
                self._start()
                raise Unavailable(service="The image decoder") from error
            if decoder.alive:
                return decoder
            self._replace(decoder, "died idle")

    def _replace(self, decoder: Decoder, why: str) -> None:
        self._all.discard(decoder)
        decoder.end()
        LOST.labels(why).inc()
        log().warning("decoder.lost", why=why, status=decoder.process.returncode)
        self._start()

    def _start(self) -> None:
        """In the background; it waits with the others when it is ready, or has failed."""
        self._starter.submit(self._new).add_done_callback(self._idle.put)

    def _new(self) -> Decoder:
        decoder = Decoder(self._bounds)
        self._all.add(decoder)
        return decoder


def _started(decoder: Decoder) -> "Future[Decoder]":
    ready: Future[Decoder] = Future()
    ready.set_result(decoder)
    return ready
