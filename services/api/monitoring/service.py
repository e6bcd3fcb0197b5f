"""Measures the results that a caller may see, and caches the responses for a short time."""

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
"""Maximum age of a response. A dashboard that polls more often causes no additional query."""
DAYS = 30
MAX_DAYS = 400

Measure = Callable[..., BaseModel]
"""A function of the observations, the window, and additional arguments."""


class WindowInvalid(InputError):
    code = "window-invalid"
    text = (
        "The window {problem}. Send `since` before `until`, at most {most} days apart."
    )


@dataclass(frozen=True)
class WindowQuery:
    """The results that a request selects, before names are resolved."""

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
    """Measures the observations of the caller's hospital, or of all hospitals if the caller belongs
    to none.
    """

    def __init__(
        self, session: CallerSession, caller: Caller, answer_cache: AnswerCache
    ) -> None:
        self._session = session
        self._caller = caller
        self._answer_cache = answer_cache

    def answer(
        self, measure: Measure, query: WindowQuery, *arguments: object
    ) -> JsonAnswer:
        """Return the measurement as JSON, at most FRESH_S old.

        `arguments` are passed to `measure`. The request's transaction ends first, so that no
        transaction stays open while the request waits for the measurement of another request.
        """
        self._session.transaction.commit()
        key = (measure, self._caller.hospital_id, query, arguments)
        return self._answer_cache.get_or_make(
            key, FRESH_S, lambda: self._measure(measure, query, arguments)
        )

    def _measure(
        self, measure: Measure, query: WindowQuery, arguments: tuple[object, ...]
    ) -> JsonAnswer:
        observations = self._session.observations
        window = resolve_window(observations, query)
        return json_answer(measure(observations, window, *arguments))


def json_answer(view: BaseModel) -> JsonAnswer:
    body = view.model_dump_json().encode()
    digest = hashlib.sha256(body).hexdigest()
    return JsonAnswer(body=body, etag=f'"{digest[:20]}"')


def resolve_window(observations: Observations, query: WindowQuery) -> Window:
    """Return the requested window, by default the last 30 whole days.

    Names of hospitals and models are looked up among those that the caller may see.

    Raises
    ------
    WindowInvalid, NotFound, ModelUnknown
    """
    until = query.until or datetime.now(UTC)
    since = query.since or days_before(until, DAYS)
    if since >= until:
        raise WindowInvalid(problem="ends before it begins", most=MAX_DAYS)
    if until - since > timedelta(days=MAX_DAYS):
        raise WindowInvalid(
            problem=f"is {(until - since).days} days long", most=MAX_DAYS
        )
    hospital_id = None
    if query.hospital:
        hospital_id = _hospital_id(observations, query.hospital)
    model = observations.find_model(query.model) if query.model else None
    if query.model and model is None:
        raise ModelUnknown(name=query.model)
    return Window(
        start=since,
        end=query.until,
        hospital=hospital_id,
        device=query.device,
        model=model,
    )


def days_before(moment: datetime, days: int) -> datetime:
    """Return midnight UTC this many days before. With whole days, a response stays the same until
    there is a new result.
    """
    earlier = (moment - timedelta(days=days)).astimezone(UTC)
    return earlier.replace(hour=0, minute=0, second=0, microsecond=0)


def _hospital_id(observations: Observations, name_or_id: str) -> UUID:
    """Return the id of a hospital. Raises NotFound."""
    for hospital_id, name in observations.hospitals().items():
        if name_or_id in (name, str(hospital_id)):
            return hospital_id
    raise NotFound(thing="hospital")
