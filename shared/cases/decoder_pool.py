"""Decodes images for the processes that take them in, always in other processes.

Previews, pictures of cases, submitted cases and labelled images share one pool.
"""

from hashlib import sha256
from threading import Lock
from uuid import UUID

from cachetools import TTLCache

from shared.cases.fair_queue import FairQueue, QueueBusy
from shared.errors import Unavailable
from shared.imaging import UltrasoundImage
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.checked import CheckedImage
from shared.imaging.sandbox.pool import SandboxPool
from shared.settings import Settings

PROCESS_COUNT = 2
MAX_HELD = 1
"""Processes that one hospital uses at a time. The other one is left to other hospitals."""
MAX_WAITING = 20
"""Requests of one hospital that wait for a process. It is less than a gateway has slots, so that
requests of other hospitals find one."""
WAIT_S = 5.0
"""How long a request waits for a process."""
CHECKED_COUNT = 4096
CHECKED_TTL_S = 600.0
"""How many checked images are remembered, and for how long: a repeated request need not decode
its image again."""


class DecodersBusy(Unavailable):
    code = "decoders-busy"
    retry_after_s = 2
    text = (
        "Too many images are being read just now. "
        "Nothing was lost; try again in a few seconds."
    )


def open_sandbox(settings: Settings) -> SandboxPool:
    """Return the processes of a pool. They start when the first image is decoded."""
    bounds = Bounds(seconds=settings.decode_s, memory_mib=settings.decode_mib)
    return SandboxPool(bounds, PROCESS_COUNT)


class DecoderPool:
    """Decodes images in a few processes, in turn between hospitals."""

    def __init__(self, sandbox: SandboxPool) -> None:
        self._sandbox = sandbox
        self.queue = FairQueue(
            places=PROCESS_COUNT, max_held=MAX_HELD, max_waiting=MAX_WAITING
        )
        self._checked: TTLCache[object, CheckedImage] = TTLCache(
            maxsize=CHECKED_COUNT, ttl=CHECKED_TTL_S
        )
        self._lock = Lock()

    def decode(
        self,
        data: bytes,
        frame: int | None,
        hospital_id: UUID | None,
        wait_s: float | None = None,
    ) -> UltrasoundImage:
        """Decode an image like `SandboxPool.decode`.

        `hospital_id` is None for images of no hospital. Raises DecodersBusy if too many images
        wait.
        """
        try:
            with self.queue.place(hospital_id, WAIT_S if wait_s is None else wait_s):
                return self._sandbox.decode(data, frame)
        except QueueBusy:
            raise DecodersBusy from None

    def check(
        self,
        data: bytes,
        *,
        frame: int | None,
        hospital_id: UUID | None,
        find_text: bool = False,
        wait_s: float | None = None,
    ) -> CheckedImage:
        """Check an image like `SandboxPool.check`.

        An image that the same hospital's request checked a short time ago is not decoded again.
        Whether another hospital has sent it makes no difference. Raises DecodersBusy if too many
        images wait.
        """
        key = (hospital_id, sha256(data).digest(), frame, find_text)
        with self._lock:
            checked = self._checked.get(key)
        if checked is not None:
            return checked
        try:
            with self.queue.place(hospital_id, WAIT_S if wait_s is None else wait_s):
                checked = self._sandbox.check(data, frame, find_text=find_text)
        except QueueBusy:
            raise DecodersBusy from None
        with self._lock:
            self._checked[key] = checked
        return checked

    def close(self) -> None:
        self._sandbox.close()
