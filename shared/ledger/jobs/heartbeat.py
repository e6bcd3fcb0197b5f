"""Renews the leases of a process while it is alive and its work makes progress."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Any
from uuid import UUID

from shared.errors import Unavailable
from shared.observability.logs import log

Renew = Callable[[list[UUID]], Any]


class Heartbeat(threading.Thread):
    """Renews every held lease three times within its length, unless its work is stuck."""

    def __init__(
        self, renew: Renew, lease: timedelta, stuck: timedelta | None = None
    ) -> None:
        """`stuck` is the longest time that work may take without progress.

        Without `stuck` a lease is renewed until it is released.
        """
        super().__init__(name="heartbeat", daemon=True)
        self._renew = renew
        self._interval_s = lease.total_seconds() / 3
        self._stuck_s = stuck.total_seconds() if stuck else inf
        self._progress_times: dict[UUID, float] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def hold(self, token: UUID) -> None:
        """Begin to renew a lease, or report that the work under it has made progress."""
        with self._lock:
            self._progress_times[token] = time.monotonic()

    def release(self, token: UUID) -> None:
        with self._lock:
            self._progress_times.pop(token, None)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            tokens = self._drop_stuck()
            if tokens:
                self._beat(tokens)

    def _drop_stuck(self) -> list[UUID]:
        """Drop stuck leases, which then expire; returns the leases to renew."""
        oldest_progress = time.monotonic() - self._stuck_s
        with self._lock:
            stuck = [
                token
                for token, progress_time in self._progress_times.items()
                if progress_time < oldest_progress
            ]
            for token in stuck:
                del self._progress_times[token]
            tokens = list(self._progress_times)
        for token in stuck:
            log().error("heartbeat.stuck", token=str(token), after_s=self._stuck_s)
        return tokens

    def _beat(self, tokens: list[UUID]) -> None:
        try:
            self._renew(tokens)
        except Unavailable as error:
            log().warning("heartbeat.missed", problem=str(error))
