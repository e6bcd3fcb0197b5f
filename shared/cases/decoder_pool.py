"""Decodes images for the processes that take them in, always in other processes.

Previews, pictures of cases, submitted cases and labelled images share one pool.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from uuid import UUID

from cachetools import TTLCache

from shared.cases.fair_queue import FairQueue, QueueBusy
from shared.errors import Unavailable
from shared.imaging import UltrasoundImage
from shared.imaging.deidentify import CleanedFile
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.checked import CheckedImage
from shared.imaging.sandbox.pool import SandboxPool
from shared.settings import Settings

PROCESS_COUNT = 2
MAX_HELD = 1
"""Processes that one hospital uses at a time. The other one is left to other hospitals."""
MAX_WAITING = 10
MAX_WAITING_IN_ALL = 16
"""Requests of one hospital, and of all hospitals, that wait for a process. Each holds one of the 30
slots of a gateway (`services/api/middleware/transactions.py`). Beyond the bound of all, each
hospital may have a single request that waits."""
WAIT_S = 5.0
BATCH_WAIT_S = 60.0
"""How long a request of a hospital waits for a process, and work of no hospital: a batch of
labelled images, whose threads hold a single slot and are in no hurry."""
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
    """Decodes images in a few processes, in turn between hospitals.

    `wait_s` is how long a request of a hospital waits for a process.
    """

    def __init__(self, sandbox: SandboxPool, wait_s: float = WAIT_S) -> None:
        self.wait_s = wait_s
        self._sandbox = sandbox
        self._queue = FairQueue(
            places=PROCESS_COUNT,
            max_held=MAX_HELD,
            max_waiting=MAX_WAITING,
            max_waiting_in_all=MAX_WAITING_IN_ALL,
            unlimited=(None,),
        )
        self._checked: TTLCache[object, CheckedImage] = TTLCache(
            maxsize=CHECKED_COUNT, ttl=CHECKED_TTL_S
        )
        self._lock = Lock()

    @contextmanager
    def place(
        self, hospital_id: UUID | None, wait_s: float | None = None
    ) -> Iterator[None]:
        """Hold one of the places meanwhile, for work that keeps a sandbox process busy.

        A thread must not hold two. `hospital_id` is None for work of no hospital, which is never
        refused because too many wait. `wait_s` None means the usual time. Raises DecodersBusy.
        """
        if wait_s is None:
            wait_s = BATCH_WAIT_S if hospital_id is None else self.wait_s
        try:
            with self._queue.place(hospital_id, wait_s):
                yield
        except QueueBusy:
            raise DecodersBusy from None

    def decode(
        self,
        data: bytes,
        frame: int | None,
        hospital_id: UUID | None,
        wait_s: float | None = None,
    ) -> UltrasoundImage:
        """Decode an image like `SandboxPool.decode`.

        `hospital_id` and `wait_s` are those of `place`. Raises DecodersBusy if too many images
        wait.
        """
        with self.place(hospital_id, wait_s):
            return self._sandbox.decode(data, frame)

    def clean_mask(self, data: bytes, width: int, height: int) -> CleanedFile:
        """Clean a mask of a labelled image like `SandboxPool.clean_mask`.

        Raises DecodersBusy if too many images wait.
        """
        with self.place(hospital_id=None):
            return self._sandbox.clean_mask(data, width, height)

    def check(
        self,
        data: bytes,
        *,
        frame: int | None,
        hospital_id: UUID | None,
        find_text: bool = False,
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
        with self.place(hospital_id):
            checked = self._sandbox.check(data, frame, find_text=find_text)
        with self._lock:
            self._checked[key] = checked
        return checked

    def close(self) -> None:
        self._sandbox.close()
