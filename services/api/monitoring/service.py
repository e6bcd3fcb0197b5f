"""Measures what a caller may see, and remembers it for a moment."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel

from services.api.dependencies import Wiring
from shared.errors import InputError, NotFound
from shared.ledger.hospitals import Caller
from shared.ledger.models import ModelUnknown
from shared.ledger.observations import Observations, Window

FRESH_S = 30.0
"""How old an answer may be; a dashboard that polls oftener costs nothing."""
DAYS, MOST_DAYS = 30, 400
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

Measure = Callable[..., BaseModel]
"""Called with the observations, the window, and further arguments of its own."""


class WindowInvalid(InputError):
    code = "window-invalid"
    text = "The window {problem}. Send `since` before `until`, at most {most} days apart."


@dataclass(frozen=True)
class Asked:
    """Which results a caller wants to look at, as the request has it."""

    hospital: str | None = None
    device: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Answer:
    body: bytes
    etag: str


class MonitorDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def answer(self, measure: Measure, asked: Asked, *more: object) -> Answer:
        """The measurement as JSON, at most FRESH_S old; `more` are further arguments of `measure`."""
        key = (measure, self._who.hospital_id, asked, more)
        return self._wired.memory.recall(key, FRESH_S, lambda: self._measured(measure, asked, more))

    def _measured(self, measure: Measure, asked: Asked, more: tuple[object, ...]) -> Answer:
        with self._observations() as observations:
            return answer_of(measure(observations, window(observations, asked), *more))

    @contextmanager
    def _observations(self) -> Iterator[Observations]:
        """A hospital's own for its keys, everybody's for those who belong to none."""
        if self._who.hospital_id:
            with self._wired.ledger.hospital_session(
                self._who.hospital_id, self._who.actor
            ) as hospital_session:
                yield hospital_session.observations
        else:
            with self._wired.ledger.system_session(self._who.actor) as system_session:
                yield system_session.observations


def answer_of(view: BaseModel) -> Answer:
    body = view.model_dump_json().encode()
    return Answer(body, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def window(observations: Observations, asked: Asked) -> Window:
    """The last 30 whole days unless said otherwise; names are looked up among what may be seen.

    Raises
    ------
    WindowInvalid, NotFound, ModelUnknown
    """
    until = asked.until or datetime.now(UTC)
    if until < EARLIEST:
        raise WindowInvalid(problem=f"ends before {EARLIEST:%Y}", most=MOST_DAYS)
    since = asked.since or days_before(until, DAYS)
    if since >= until:
        raise WindowInvalid(problem="ends before it begins", most=MOST_DAYS)
    if until - since > timedelta(days=MOST_DAYS):
        raise WindowInvalid(problem=f"is {(until - since).days} days long", most=MOST_DAYS)
    hospital = _hospital(observations, asked.hospital) if asked.hospital else None
    model = observations.model(asked.model) if asked.model else None
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
