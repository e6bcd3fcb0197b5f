"""Measures what a caller may see, and remembers it for a moment."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel

from services.api.dependencies import CallerSession
from services.api.monitoring.memory import AnswerCache
from shared.domain.models import ModelUnknown
from shared.errors import InputError, NotFound
from shared.ledger.hospitals.repository import Caller
from shared.ledger.monitoring.observations import Observations, Window

FRESH_S = 30.0
"""How old an answer may be; a dashboard that polls oftener costs nothing."""
DAYS = 30
MAX_DAYS = 400
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

Measure = Callable[..., BaseModel]
"""Called with the observations, the window, and further arguments of its own."""


class WindowInvalid(InputError):
    code = "window-invalid"
    text = (
        "The window {problem}. Send `since` before `until`, at most {most} days apart."
    )


@dataclass(frozen=True)
class WindowQuery:
    """Which results a caller wants to look at, as the request has it."""

    hospital: str | None = None
    device: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class JsonAnswer:
    body: bytes
    etag: str


class MonitoringService:
    """A hospital's own observations for its keys, everybody's for those who belong to none."""

    def __init__(
        self, session: CallerSession, caller: Caller, answer_cache: AnswerCache
    ) -> None:
        self._session = session
        self._caller = caller
        self._answer_cache = answer_cache

    def answer(self, measure: Measure, asked: WindowQuery, *more: object) -> JsonAnswer:
        """The measurement as JSON, at most FRESH_S old; `more` are further arguments of `measure`.

        The request's transaction ends before: whoever waits for another's measurement holds none.
        """
        self._session.transaction.commit()
        key = (measure, self._caller.hospital_id, asked, more)
        return self._answer_cache.get_or_make(
            key, FRESH_S, lambda: self._measured(measure, asked, more)
        )

    def _measured(
        self, measure: Measure, asked: WindowQuery, more: tuple[object, ...]
    ) -> JsonAnswer:
        observations = self._session.observations
        return json_answer(measure(observations, resolve_window(observations, asked), *more))


def json_answer(view: BaseModel) -> JsonAnswer:
    body = view.model_dump_json().encode()
    return JsonAnswer(body, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def resolve_window(observations: Observations, asked: WindowQuery) -> Window:
    """The last 30 whole days unless said otherwise; names are looked up among what may be seen.

    Raises
    ------
    WindowInvalid, NotFound, ModelUnknown
    """
    until = asked.until or datetime.now(UTC)
    if until < EARLIEST:
        raise WindowInvalid(problem=f"ends before {EARLIEST:%Y}", most=MAX_DAYS)
    since = asked.since or days_before(until, DAYS)
    if since >= until:
        raise WindowInvalid(problem="ends before it begins", most=MAX_DAYS)
    if until - since > timedelta(days=MAX_DAYS):
        raise WindowInvalid(
            problem=f"is {(until - since).days} days long", most=MAX_DAYS
        )
    hospital = _hospital(observations, asked.hospital) if asked.hospital else None
    model = observations.find_model(asked.model) if asked.model else None
    if asked.model and model is None:
        raise ModelUnknown(name=asked.model)
    return Window(since, asked.until, hospital, asked.device, model)


def days_before(moment: datetime, days: int) -> datetime:
    """Midnight, UTC, so that an answer stays the same until there is a new result."""
    return (
        (moment - timedelta(days=days))
        .astimezone(UTC)
        .replace(hour=0, minute=0, second=0, microsecond=0)
    )


def _hospital(observations: Observations, which: str) -> UUID:
    """By name or id."""
    for hospital, name in observations.hospitals().items():
        if which in (name, str(hospital)):
            return hospital
    raise NotFound(thing="hospital")
