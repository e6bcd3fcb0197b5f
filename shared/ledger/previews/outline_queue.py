"""The interactive lane: outlines of previews that people wait for, from which workers claim."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from shared.ledger.jobs.repository import notify_listeners
from shared.ledger.tables import PreviewOutlineRow, PreviewRow

LEASE = timedelta(seconds=30)
"""If a worker has not answered within this time, another worker may claim the request."""
MAX_ATTEMPTS = 3
"""Workers that a request may lose before it counts as failed."""
NO_OUTLINE_NETWORK = "no-outline-network"
NO_LIVE_MODEL = "no-live-model"
"""Codes of the reasons why there are no outlines; others are codes of errors."""
NOW = func.clock_timestamp()
IS_WAITING = PreviewOutlineRow.made_at.is_(None)
HAS_NO_LEASE = or_(
    PreviewOutlineRow.taken_until.is_(None), PreviewOutlineRow.taken_until < NOW
)
IS_LOST = and_(IS_WAITING, HAS_NO_LEASE, PreviewOutlineRow.attempts >= MAX_ATTEMPTS)
"""Each of the workers that tried ended meanwhile, so no further one tries."""
IS_CLAIMABLE = and_(IS_WAITING, HAS_NO_LEASE, PreviewOutlineRow.attempts < MAX_ATTEMPTS)


@dataclass(frozen=True)
class Outline:
    """An outline in pixels of the upright image.

    `probability` is that its pixels are a nodule, by the outline network; None where a box, a
    polygon or caliper marks said where the nodule is.
    """

    polygon: Sequence[Sequence[float]]
    probability: float | None


@dataclass(frozen=True)
class OutlineRequest:
    """A claimed request with its inputs.

    `prompt` has the fields of a box, a polygon or a point. Without one the whole picture is
    searched.
    """

    id: int
    preview_id: UUID
    image_sha256: str
    frame: int | None
    prompt: Mapping[str, object] | None
    waited_s: float


@dataclass(frozen=True)
class WaitingOutlines:
    """Requests that wait, of all hospitals together; `oldest_s` is the age of the oldest."""

    count: int
    oldest_s: float


class OutlineQueue:
    """Hospitals take turns: a request comes after those of other hospitals that have fewer waiting
    before it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim_next(self) -> OutlineRequest | None:
        """Claim a request for a `LEASE`, and count the attempt; None if none waits."""
        earlier = aliased(PreviewOutlineRow)
        earlier_count = (
            select(func.count())
            .where(
                earlier.made_at.is_(None),
                earlier.hospital_id == PreviewOutlineRow.hospital_id,
                earlier.id < PreviewOutlineRow.id,
            )
            .scalar_subquery()
        )
        waited_s = func.extract("epoch", NOW - PreviewOutlineRow.requested_at)
        query = (
            select(
                PreviewOutlineRow.id,
                PreviewOutlineRow.preview_id,
                PreviewRow.image_sha256,
                PreviewRow.frame,
                PreviewOutlineRow.prompt,
                waited_s.label("waited_s"),
            )
            .join(PreviewRow, PreviewRow.id == PreviewOutlineRow.preview_id)
            .where(IS_CLAIMABLE, PreviewRow.expires_at > NOW)
            .order_by(earlier_count, PreviewOutlineRow.id)
            .limit(1)
            .with_for_update(of=PreviewOutlineRow, skip_locked=True)
        )
        row = self._session.execute(query).first()
        if row is None:
            return None
        request = OutlineRequest(
            **{**row._mapping, "waited_s": max(float(row.waited_s), 0.0)}
        )
        self._update(
            request,
            taken_until=NOW + LEASE,
            attempts=PreviewOutlineRow.attempts + 1,
        )
        return request

    def release(self, request: OutlineRequest) -> None:
        """End the lease of a request that could not be tried; the attempt does not count."""
        self._update(request, taken_until=None, attempts=PreviewOutlineRow.attempts - 1)

    def finish(
        self,
        request: OutlineRequest,
        *,
        model_digest: str,
        source: str,
        outlines: Sequence[Outline],
    ) -> None:
        """Store the outlines, unless the preview is gone."""
        self._update(
            request,
            model_digest=model_digest,
            source=source,
            outlines=[asdict(outline) for outline in outlines],
            made_at=NOW,
            taken_until=None,
        )

    def fail(self, request: OutlineRequest, reason: str) -> None:
        """Store the code of the reason why there are no outlines."""
        self._update(request, reason=reason, made_at=NOW, taken_until=None)

    def waiting(self) -> WaitingOutlines:
        oldest_s = func.extract("epoch", NOW - func.min(PreviewOutlineRow.requested_at))
        query = (
            select(func.count(), func.coalesce(oldest_s, 0))
            .join(PreviewRow, PreviewRow.id == PreviewOutlineRow.preview_id)
            .where(
                IS_WAITING,
                PreviewOutlineRow.attempts < MAX_ATTEMPTS,
                PreviewRow.expires_at > NOW,
            )
        )
        count, age_s = self._session.execute(query).one()
        return WaitingOutlines(count=count, oldest_s=float(age_s))

    def _update(self, request: OutlineRequest, **values: object) -> None:
        """Change the row of an unfinished request and, at commit, wake those who wait for it;
        nothing happens if it is finished or gone.
        """
        statement = (
            update(PreviewOutlineRow)
            .where(PreviewOutlineRow.id == request.id, IS_WAITING)
            .values(values)
        )
        self._session.execute(statement)
        if "made_at" in values:
            notify_listeners(self._session, [request.preview_id])


class ExpiredPreviews:
    """Erases the previews of all hospitals whose time is over."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def erase(self, limit: int) -> int:
        """Erase expired previews with their outlines; returns how many."""
        expired = (
            select(PreviewRow.id)
            .where(PreviewRow.expires_at <= NOW)
            .order_by(PreviewRow.expires_at)
            .limit(limit)
        )
        statement = (
            delete(PreviewRow)
            .where(PreviewRow.id.in_(expired))
            .returning(PreviewRow.id)
        )
        return len(self._session.scalars(statement).all())
