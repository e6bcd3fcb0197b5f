"""Holds leases for as long as the process lives that took them."""

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
    """Renews every held lease three times in its length, for as long as something of its work moves."""

    def __init__(
        self, renew: Renew, lease: timedelta, stuck: timedelta | None = None
    ) -> None:
        """Without `stuck` a lease is renewed until it is let go."""
        super().__init__(name="heartbeat", daemon=True)
        self._renew = renew
        self._every_s = lease.total_seconds() / 3
        self._stuck_s = stuck.total_seconds() if stuck else inf
        self._held: dict[UUID, float] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def hold(self, token: UUID) -> None:
        """Hold a lease, or say that its work has moved."""
        with self._lock:
            self._held[token] = time.monotonic()

    def let_go(self, token: UUID) -> None:
        with self._lock:
            self._held.pop(token, None)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(self._every_s):
            if held := self._moving():
                self._beat(held)

    def _moving(self) -> list[UUID]:
        """The leases to renew. One whose work is stuck runs out, and another worker takes it up."""
        since = time.monotonic() - self._stuck_s
        with self._lock:
            stuck = [token for token, moved in self._held.items() if moved < since]
            for token in stuck:
                del self._held[token]
            held = list(self._held)
        for token in stuck:
            log().error("heartbeat.stuck", token=str(token), after_s=self._stuck_s)
        return held

    def _beat(self, held: list[UUID]) -> None:
        try:
            self._renew(held)
        except Unavailable as error:
            log().warning("heartbeat.missed", problem=str(error))
