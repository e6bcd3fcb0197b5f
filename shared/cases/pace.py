"""How fast jobs are being finished lately, for the ETA of those that wait."""

import threading
import time

from shared.ledger import Ledger

FRESH_S = 2.0


class Pace:
    """Remembers the figure for a moment, so that a thousand polls cost one count."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._figure: float | None = None

    def jobs_per_s(self) -> float | None:
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_S:
                with self._ledger.system_session("gateway") as session:
                    self._figure = session.queue.pace()
                self._read_at = time.monotonic()
            return self._figure
