"""Decodes images for the gateway in another process, never in its own."""

from threading import BoundedSemaphore

from shared.errors import Unavailable
from shared.imaging import UltrasoundImage
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.settings import Settings

PROCESSES = 1
MAX_REQUESTS = 3
"""Maximum number of requests that wait for a process or use one."""
WAIT_S = 5.0
"""How long an additional request waits for a free place."""


class DecoderPoolBusy(Unavailable):
    code = "too-many-previews"
    retry_after_s = 2
    text = (
        "Too many images are being read just now. "
        "Nothing was lost; try again in a few seconds."
    )


class DecoderPool:
    """Pool of decoder processes. The process starts when the first image is decoded."""

    def __init__(self, settings: Settings) -> None:
        bounds = Bounds(seconds=settings.decode_s, memory_mib=settings.decode_mib)
        self._sandbox = SandboxPool(bounds, PROCESSES)
        self._requests = BoundedSemaphore(MAX_REQUESTS)

    def decode(self, data: bytes, frame: int | None = None) -> UltrasoundImage:
        """Decode an image like `SandboxPool.decode`. Raises DecoderPoolBusy if too many requests
        wait.
        """
        if not self._requests.acquire(timeout=WAIT_S):
            raise DecoderPoolBusy
        try:
            return self._sandbox.decode(data, frame)
        finally:
            self._requests.release()

    def close(self) -> None:
        self._sandbox.close()
