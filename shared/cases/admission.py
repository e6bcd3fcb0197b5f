"""Who may send another case now: a hospital's rate, its cases under way, and how many SERA lets wait at all."""

import math
from operator import attrgetter
from threading import Condition
from uuid import UUID

from cachetools import TTLCache, cachedmethod

from shared.cases.pace import Pace
from shared.domain.jobs import Priority
from shared.errors import SeraError
from shared.ledger import HospitalSession, Ledger
from shared.ledger.hospitals.rate_limits import RateLimit, RateLimitStatus
from shared.settings import Settings

ACTOR = "gateway"
COUNT_TTL_S = 0.5
"""How long the count of all waiting jobs is believed: one count for many submissions."""
DEFAULT_RETRY_S = 30
MAX_RETRY_S = 300
FREE_SHARE = 0.02
"""A refused hospital is asked to come back when this share of the limit is free, not for every single place."""


class LimitReached(SeraError):
    """A limit is reached; `retry_after_s` says when there is room again at the present pace."""

    status = 429
    retryable = True


class RateLimited(LimitReached):
    code = "rate-limited"
    text = "This hospital may send {limit} cases a minute. Send this one again in {retry_after_s} s."


class QuotaReached(LimitReached):
    code = "quota-reached"
    text = (
        "{count} cases of this hospital are not answered yet, and at most {limit} may be (a part "
        "of these for urgent cases only). Send this one again in {retry_after_s} s."
    )


class QueueFull(LimitReached):
    code = "queue-full"
    text = (
        "SERA has as many cases waiting as it takes on. Nothing was lost; send this one again in "
        "{retry_after_s} s."
    )


class Admission:
    """Asked twice: before a body is read, whether any case could be accepted; then whether this one is."""

    def __init__(self, ledger: Ledger, settings: Settings, pace: Pace) -> None:
        self._ledger = ledger
        self._settings = settings
        self._pace = pace
        self._defaults = RateLimit(settings.rate_per_minute, settings.inflight_quota)
        self._cache: TTLCache[object, int] = TTLCache(maxsize=1, ttl=COUNT_TTL_S)
        self._condition = Condition()

    def standing(self, session: HospitalSession) -> RateLimitStatus:
        """How the hospital stands, before a body is read. Raises TooMuch if not even an urgent case is accepted now."""
        self._check_queue(reserve=0.0)
        standing = session.rate_limits.status(self._defaults)
        self._check(standing, reserve=0.0)
        return standing

    def check_standing(self, standing: RateLimitStatus, priority: Priority) -> None:
        """Raise TooMuch if a hospital that stood so could not have a case of this priority accepted."""
        reserve = self._reserve(priority)
        self._check_queue(reserve)
        self._check(standing, reserve)

    def check(self, session: HospitalSession, priority: Priority) -> RateLimitStatus:
        """Raise TooMuch unless a case of this priority may be accepted; takes nothing."""
        standing = session.rate_limits.status(self._defaults)
        self.check_standing(standing, priority)
        return standing

    def charge_case(
        self, session: HospitalSession, standing: RateLimitStatus, priority: Priority
    ) -> None:
        """Count this case against the hospital's rate, or raise RateLimited.

        The hospital's other submissions wait for this transaction from here on, so this comes late in it.
        """
        spare = self._reserve(priority) * standing.limits.per_minute
        if not session.rate_limits.take(standing.limits.per_minute, spare):
            raise rate_limited(standing, spare)

    def charge_rejected_image(self, hospital_id: UUID, priority: Priority) -> None:
        """Count an image that could not be cleaned against the rate, in a transaction of its own: it cost as much."""
        with self._ledger.hospital_session(hospital_id, ACTOR) as session:
            standing = session.rate_limits.status(self._defaults)
            spare = self._reserve(priority) * standing.limits.per_minute
            session.rate_limits.take(standing.limits.per_minute, spare)

    def _reserve(self, priority: Priority) -> float:
        """The share of each limit that only urgent cases may use."""
        return 0.0 if priority is Priority.URGENT else self._settings.urgent_reserve

    def _check_queue(self, reserve: float) -> None:
        waiting = self._all_waiting()
        most = open_places(self._settings.max_queued, reserve)
        if waiting >= most:
            raise QueueFull(retry_after_s=self._until_done(waiting - most + places_to_free(most)))

    def _check(self, standing: RateLimitStatus, reserve: float) -> None:
        self._check_quota(standing, reserve)
        spare = reserve * standing.limits.per_minute
        if standing.tokens - 1 < spare:
            raise rate_limited(standing, spare)

    def _check_quota(self, standing: RateLimitStatus, reserve: float) -> None:
        count = standing.inflight
        most = open_places(standing.limits.quota, reserve)
        if count >= most:
            wait_s = self._until_done(count - most + places_to_free(most))
            raise QuotaReached(
                count=count, limit=standing.limits.quota, retry_after_s=wait_s
            )

    def _until_done(self, jobs: float) -> int:
        pace = self._pace.jobs_per_s()
        return retry_after_s(jobs / pace) if pace else DEFAULT_RETRY_S

    @cachedmethod(attrgetter("_cache"), condition=attrgetter("_condition"))
    def _all_waiting(self) -> int:
        with self._ledger.system_session(ACTOR) as session:
            return session.queue.count_waiting()


def rate_limited(standing: RateLimitStatus, spare: float) -> RateLimited:
    rate = standing.limits.per_minute
    missing = max(spare + 1 - standing.tokens, 0.0)
    return RateLimited(limit=rate, retry_after_s=retry_after_s(60 * missing / rate))


def open_places(limit: int, reserve: float) -> int:
    """Places of a limit that are not kept for urgent cases; one at least."""
    return max(limit - math.ceil(reserve * limit), 1)


def places_to_free(places: int) -> float:
    """How many places are to be free before a refused hospital is asked to come back."""
    return max(FREE_SHARE * places, 1.0)


def retry_after_s(exact: float) -> int:
    """For a Retry-After header: whole seconds, one at least."""
    return min(max(math.ceil(exact), 1), MAX_RETRY_S)
