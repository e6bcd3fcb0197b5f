"""The facts that a worker reports about itself in addition to its model."""

import time
from datetime import timedelta


class Presence:
    """The device a worker computes on, and the time since its last claim by a monotonic clock."""

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._claimed_at: float | None = None

    def record_claim(self) -> None:
        """Record that the worker has just claimed cases."""
        self._claimed_at = time.monotonic()

    def time_since_claim(self) -> timedelta | None:
        """Return the time since the last claim, or None if this process has not claimed a case
        yet.
        """
        if self._claimed_at is None:
            return None
        return timedelta(seconds=time.monotonic() - self._claimed_at)
