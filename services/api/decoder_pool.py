"""Images decoded for the gateway, never in its own process."""

import threading
from threading import BoundedSemaphore

from shared.errors import Unavailable
from shared.imaging import UltrasoundImage
from shared.imaging.decoders.bounds import Bounds
from shared.imaging.decoders.pool import Decoders
from shared.settings import Settings

COUNT = 1
AT_ONCE = 3
WAIT_S = 5.0
"""Decoders, requests that may wait for one or be at one, and how long a further request waits to be let in."""


class EyesBusy(Unavailable):
    code = "too-many-looks"
    retry_after_s = 2
    text = "Too many images are being looked at just now. Nothing was lost; look again in a few seconds."


class Eyes:
    """Decoders that start with the first image."""

    def __init__(self, settings: Settings) -> None:
        self._bounds = Bounds(settings.decode_s, settings.decode_mib)
        self._room = BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._decoders: Decoders | None = None

    def decode(self, data: bytes, frame: int | None = None) -> UltrasoundImage:
        """As `Decoders.decode`; EyesBusy where too many wait."""
        if not self._room.acquire(timeout=WAIT_S):
            raise EyesBusy
        try:
            return self._started().decode(data, frame)
        finally:
            self._room.release()

    def close(self) -> None:
        with self._lock:
            if self._decoders:
                self._decoders.close()
            self._decoders = None

    def _started(self) -> Decoders:
        with self._lock:
            self._decoders = self._decoders or Decoders(self._bounds, COUNT)
            return self._decoders
