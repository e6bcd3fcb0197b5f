"""Holds leases for as long as the process lives that took them."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.errors import Unavailable
from shared.telemetry import log

Renew = Callable[[list[UUID]], Any]


class Heartbeat(threading.Thread):
    """Renews every held lease three times in its length."""

    def __init__(self, renew: Renew, lease: timedelta) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._renew, self._every_s = renew, lease.total_seconds() / 3
        self._held: set[UUID] = set()
        self._lock, self._stopping = threading.Lock(), threading.Event()

    def hold(self, token: UUID) -> None:
        with self._lock:
            self._held.add(token)

    def let_go(self, token: UUID) -> None:
        with self._lock:
            self._held.discard(token)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(self._every_s):
            with self._lock:
                held = list(self._held)
            if held:
                self._beat(held)

    def _beat(self, held: list[UUID]) -> None:
        try:
            self._renew(held)
        except Unavailable as error:
            log().warning("heartbeat.missed", problem=str(error))
