"""What a worker says of itself besides what it serves."""

import time
from datetime import timedelta


class Presence:
    """On what it computes, and how long ago it last claimed cases, by a clock that nobody can set."""

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._claimed_at: float | None = None

    def record_claim(self) -> None:
        """It claimed cases just now."""
        self._claimed_at = time.monotonic()

    def time_since_claim(self) -> timedelta | None:
        """None while this process has claimed nothing."""
        return (
            None
            if self._claimed_at is None
            else timedelta(seconds=time.monotonic() - self._claimed_at)
        )
