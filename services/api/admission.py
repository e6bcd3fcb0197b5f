"""Who may send another case now: a hospital's rate, its cases under way, and how many SERA lets wait at all."""

import math
import threading
import time
from collections.abc import Callable
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.jobs.pace import Pace
from services.api.limits import has_body, refuse
from shared.domain.jobs import Priority
from shared.domain.roles import MAY, Act
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.ledger.allowances import Limits, Standing
from shared.settings import Settings

FRESH_S = 0.5
"""How long the count of all waiting jobs is believed: one count for many submissions."""
UNKNOWN_S = 30
LONGEST_S = 300
ROOM = 0.02
"""A refused hospital is asked to come back when this share of the limit is free, not for every single place."""


class TooMuch(SeraError):
    """A limit is reached; `retry_after_s` says when there is room again at the present pace."""

    status = 429
    retryable = True


class RateLimited(TooMuch):
    code = "rate-limited"
    text = (
        "This hospital may send {limit} cases a minute. Send this one again in {retry_after_s} s."
    )


class QuotaReached(TooMuch):
    code = "quota-reached"
    text = (
        "{count} cases of this hospital are not answered yet, and at most {limit} may be (a part of these for urgent "
        "cases only). Send this one again in {retry_after_s} s."
    )


class QueueFull(TooMuch):
    code = "queue-full"
    text = "SERA has as many cases waiting as it takes on. Nothing was lost; send this one again in {retry_after_s} s."


class Admission:
    """Asked twice: before a body is read, whether any case could be taken; then whether this one is."""

    def __init__(self, ledger: Ledger, settings: Settings, pace: Pace) -> None:
        self._ledger, self._settings, self._pace = ledger, settings, pace
        self._defaults = Limits(settings.rate_per_minute, settings.inflight_quota)
        self._lock, self._counted_at, self._waiting = threading.Lock(), float("-inf"), 0

    def look(self, hospital: UUID, actor: str) -> None:
        """Raise TooMuch if not even an urgent case would be taken now; takes nothing."""
        self._check_queue(kept=0.0)
        with self._ledger.hospital_session(hospital, actor) as session:
            standing = session.allowance.standing(self._defaults)
        self._check_quota(standing, kept=0.0)
        if standing.tokens < 1:
            raise rate_limited(standing, spare=0.0)

    def take(self, hospital: UUID, actor: str, priority: Priority) -> None:
        """Raise TooMuch, or count this case against the hospital's rate."""
        kept = 0.0 if priority is Priority.URGENT else self._settings.urgent_reserve
        self._check_queue(kept)
        with self._ledger.hospital_session(hospital, actor) as session:
            standing = session.allowance.standing(self._defaults)
            self._check_quota(standing, kept)
            spare = kept * standing.limits.per_minute
            if not session.allowance.take(standing.limits.per_minute, spare):
                raise rate_limited(standing, spare)

    def _check_queue(self, kept: float) -> None:
        waiting, most = self._all_waiting(), open_to(self._settings.max_queued, kept)
        if waiting >= most:
            raise QueueFull(retry_after_s=self._until_done(waiting - most + room(most)))

    def _check_quota(self, standing: Standing, kept: float) -> None:
        count, most = standing.inflight, open_to(standing.limits.quota, kept)
        if count >= most:
            wait_s = self._until_done(count - most + room(most))
            raise QuotaReached(count=count, limit=standing.limits.quota, retry_after_s=wait_s)

    def _until_done(self, jobs: float) -> int:
        pace = self._pace.jobs_per_s()
        return seconds(jobs / pace) if pace else UNKNOWN_S

    def _all_waiting(self) -> int:
        with self._lock:
            if time.monotonic() - self._counted_at > FRESH_S:
                with self._ledger.system_session("gateway") as session:
                    self._waiting = session.queue.waiting()
                self._counted_at = time.monotonic()
            return self._waiting


class Turnstile:
    """Turns a submission away before its body is read, if its hospital could not have any case taken."""

    def __init__(
        self, app: ASGIApp, look: Callable[[UUID, str], None], path: str = "/v1/cases"
    ) -> None:
        self._app, self._look, self._path = app, look, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope.get("state", {}).get("caller")
        submits = scope["type"] == "http" and (scope["method"], scope["path"]) == (
            "POST",
            self._path,
        )
        if submits and caller and caller.hospital_id and Act.SUBMIT in MAY[caller.role]:
            try:
                await run_in_threadpool(self._look, caller.hospital_id, caller.actor)
            except SeraError as error:
                return await refuse(error, scope, receive, send, has_body(scope))
        await self._app(scope, receive, send)


def rate_limited(standing: Standing, spare: float) -> RateLimited:
    rate, missing = standing.limits.per_minute, max(spare + 1 - standing.tokens, 0.0)
    return RateLimited(limit=rate, retry_after_s=seconds(60 * missing / rate))


def open_to(limit: int, kept: float) -> int:
    """Places of a limit that are not kept for urgent cases; one at least."""
    return max(limit - math.ceil(kept * limit), 1)


def room(places: int) -> float:
    """How many places are to be free before a refused hospital is asked to come back."""
    return max(ROOM * places, 1.0)


def seconds(exact: float) -> int:
    """For a Retry-After header: whole seconds, one at least."""
    return min(max(math.ceil(exact), 1), LONGEST_S)
