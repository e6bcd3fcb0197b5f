"""Admission control: a hospital's rate, its quota of unfinished cases, and the limit of the whole
queue.
"""

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
"""How long the count of all waiting jobs is cached, so that many submissions share one count."""
DEFAULT_RETRY_S = 30
MAX_RETRY_S = 300
FREE_SHARE = 0.02
"""The Retry-After of a refusal estimates when this share of the limit is free."""


class LimitReached(SeraError):
    """A limit is reached.

    `retry_after_s` estimates from the rate of finished jobs when to try again.
    """

    status = 429
    retryable = True


class RateLimited(LimitReached):
    code = "rate-limited"
    text = (
        "This hospital may send {limit} cases a minute. Send this one again in "
        "{retry_after_s} s."
    )


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
    """Checks the limits twice: before the body is read, and then for the actual case.

    The first check refuses a hospital only if not even an urgent case would be accepted.
    """

    def __init__(self, ledger: Ledger, settings: Settings, pace: Pace) -> None:
        self._ledger = ledger
        self._settings = settings
        self._pace = pace
        self._defaults = RateLimit(settings.rate_per_minute, settings.inflight_quota)
        self._cache: TTLCache[object, int] = TTLCache(maxsize=1, ttl=COUNT_TTL_S)
        self._condition = Condition()

    def read_status(self, session: HospitalSession) -> RateLimitStatus:
        """The hospital's limits and use, before the body is read.

        Raises LimitReached if not even an urgent case is accepted now.
        """
        self._check_queue(reserve=0.0)
        status = session.rate_limits.status(self._defaults)
        self._check(status, reserve=0.0)
        return status

    def status_of(self, hospital_id: UUID) -> RateLimitStatus:
        """The hospital's limits and use, read in a separate transaction."""
        with self._ledger.hospital_session(hospital_id, ACTOR) as session:
            return session.rate_limits.status(self._defaults)

    def check_status(self, status: RateLimitStatus, priority: Priority) -> None:
        """Raise LimitReached if this status admits no case of this priority."""
        reserve = self._reserve(priority)
        self._check_queue(reserve)
        self._check(status, reserve)

    def check(self, session: HospitalSession, priority: Priority) -> RateLimitStatus:
        """Raise LimitReached unless a case of this priority is admitted. Counts nothing."""
        status = session.rate_limits.status(self._defaults)
        self.check_status(status, priority)
        return status

    def charge_case(
        self, session: HospitalSession, status: RateLimitStatus, priority: Priority
    ) -> None:
        """Count this case against the hospital's rate, or raise RateLimited.

        After this call the hospital's other submissions wait for this transaction. So make the call
        late in the transaction.
        """
        spare = self._reserve(priority) * status.limits.per_minute
        if not session.rate_limits.take(status.limits.per_minute, spare):
            raise rate_limited(status, spare)

    def charge_rejected_image(self, hospital_id: UUID, priority: Priority) -> None:
        """Count an image that could not be read against the rate, because it took as much work.

        This method uses a separate transaction.
        """
        with self._ledger.hospital_session(hospital_id, ACTOR) as session:
            status = session.rate_limits.status(self._defaults)
            spare = self._reserve(priority) * status.limits.per_minute
            session.rate_limits.take(status.limits.per_minute, spare)

    def _reserve(self, priority: Priority) -> float:
        """The share of each limit that only urgent cases may use."""
        return 0.0 if priority is Priority.URGENT else self._settings.urgent_reserve

    def _check_queue(self, reserve: float) -> None:
        waiting = self._count_waiting()
        places = open_places(self._settings.max_queued, reserve)
        if waiting >= places:
            jobs_ahead = waiting - places + places_to_free(places)
            raise QueueFull(retry_after_s=self._time_to_finish_s(jobs_ahead))

    def _check(self, status: RateLimitStatus, reserve: float) -> None:
        self._check_quota(status, reserve)
        spare = reserve * status.limits.per_minute
        if status.tokens - 1 < spare:
            raise rate_limited(status, spare)

    def _check_quota(self, status: RateLimitStatus, reserve: float) -> None:
        count = status.inflight
        places = open_places(status.limits.quota, reserve)
        if count >= places:
            jobs_ahead = count - places + places_to_free(places)
            raise QuotaReached(
                count=count,
                limit=status.limits.quota,
                retry_after_s=self._time_to_finish_s(jobs_ahead),
            )

    def _time_to_finish_s(self, jobs: float) -> int:
        jobs_per_s = self._pace.jobs_per_s()
        if not jobs_per_s:
            return DEFAULT_RETRY_S
        return retry_after_s(jobs / jobs_per_s)

    @cachedmethod(attrgetter("_cache"), condition=attrgetter("_condition"))
    def _count_waiting(self) -> int:
        with self._ledger.system_session(ACTOR) as session:
            return session.queue.count_waiting()


def rate_limited(status: RateLimitStatus, spare: float) -> RateLimited:
    rate = status.limits.per_minute
    missing_tokens = max(spare + 1 - status.tokens, 0.0)
    wait_s = retry_after_s(60 * missing_tokens / rate)
    return RateLimited(limit=rate, retry_after_s=wait_s)


def open_places(limit: int, reserve: float) -> int:
    """Count the places of a limit that are not reserved for urgent cases; at least one."""
    return max(limit - math.ceil(reserve * limit), 1)


def places_to_free(places: int) -> float:
    """Return the number of places that must be free before a refused hospital should try again."""
    return max(FREE_SHARE * places, 1.0)


def retry_after_s(exact: float) -> int:
    """Whole seconds for a Retry-After header, at least one."""
    return min(max(math.ceil(exact), 1), MAX_RETRY_S)
