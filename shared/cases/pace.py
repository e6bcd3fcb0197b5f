"""The present rate of finished jobs, for the ETA of waiting ones."""

from operator import attrgetter
from threading import Condition

from cachetools import TTLCache, cachedmethod

from shared.ledger import Ledger

TTL_S = 2.0


class Pace:
    """Caches the rate for TTL_S seconds, so that a thousand polls need one query."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._cache: TTLCache[object, float | None] = TTLCache(maxsize=1, ttl=TTL_S)
        self._condition = Condition()

    @cachedmethod(attrgetter("_cache"), condition=attrgetter("_condition"))
    def jobs_per_s(self) -> float | None:
        with self._ledger.system_session("gateway") as session:
            return session.queue.jobs_per_second()
