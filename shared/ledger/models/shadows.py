"""Candidates that read live traffic beside the live model, and what they said of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, String, and_, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.models.promotions import AlreadyLive, live_digest
from shared.ledger.tables import (
    CaseRow,
    HospitalRow,
    JobRow,
    OutcomeRow,
    ResultRow,
    ShadowResultRow,
    ShadowRow,
)

NOW = func.clock_timestamp()
SHARE_RESOLUTION = 10_000
"""Shares of traffic are told apart to a hundredth of a percent."""
VISIBILITY_SLACK = timedelta(minutes=10)
"""Results may become visible this much later than others that were made after them."""


class ShadowRunning(Conflict):
    code = "shadow-running"
    text = (
        "Model {digest:.12} runs in the shadow already, and there is one shadow at a time. "
        "Stop it first: ./sera models shadow --stop, or DELETE /v1/shadow."
    )


class ShadowAbsent(NotFound):
    code = "shadow-absent"
    text = (
        "{what} Start one: ./sera models shadow MODEL, or POST /v1/models/MODEL/shadow."
    )


@dataclass(frozen=True)
class Shadow:
    """A candidate's time in the shadow; `share` of the jobs is read by it."""

    id: UUID
    model_digest: str
    share: float
    actor: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: Message | None


@dataclass(frozen=True)
class LiveResult:
    """A result of the live model, with all a shadow needs to read the same image."""

    job_id: UUID
    hospital_id: UUID
    image_sha256: str
    roi: dict[str, Any] | None
    frame: int | None
    prevalence: float
    live_digest: str
    live_score: float
    live_risk: float
    live_decision: str
    made_at: datetime


@dataclass(frozen=True)
class ShadowResult:
    """What a shadow said of a job, or for what reason it could not read the image."""

    score: float | None = None
    risk: float | None = None
    decision: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ShadowPair:
    """A job as the live model and the shadow read it; `malignant` None while its outcome is not known."""

    hospital: str
    live_digest: str
    live_score: float
    live_risk: float
    live_decision: str
    score: float | None
    risk: float | None
    decision: str | None
    made_at: datetime
    malignant: bool | None


class Shadows:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def start(self, digest: str, actor: str, share: float = 1.0) -> Shadow:
        """Let a stored model read results that are made from now on.

        Raises
        ------
        AlreadyLive, ShadowRunning
        """
        self._session.execute(
            select(func.pg_advisory_xact_lock(func.hashtext("sera.shadows")))
        )
        if digest == live_digest(self._session):
            raise AlreadyLive(name=f"Model {digest[:12]}")
        if running := self.current():
            raise ShadowRunning(digest=running.model_digest)
        row = ShadowRow(model_digest=digest, share=share, actor=actor)
        self._session.add(row)
        self._session.flush()
        self._audit.record(
            Event.SHADOW_STARTED, shadow=str(row.id), model=digest, share=share
        )
        return _shadow(row)

    def current(self) -> Shadow | None:
        """The one that runs."""
        row = self._session.scalar(
            select(ShadowRow).where(ShadowRow.ended_at.is_(None))
        )
        return _shadow(row) if row else None

    def stop(self, reason: Message) -> Shadow:
        """End the one that runs; raises ShadowAbsent."""
        ended = self._end(ShadowRow.ended_at.is_(None), reason)
        if ended is None:
            raise ShadowAbsent(what="No model runs in the shadow.")
        return ended

    def end_for_model(self, digest: str, reason: Message) -> None:
        """End a model's time in the shadow, if it is there."""
        self._end(
            and_(ShadowRow.ended_at.is_(None), ShadowRow.model_digest == digest), reason
        )

    def latest_of_model(self, digest: str) -> Shadow:
        """A model's last time in the shadow; raises ShadowAbsent."""
        query = select(ShadowRow).where(ShadowRow.model_digest == digest)
        row = self._session.scalar(query.order_by(ShadowRow.started_at.desc()).limit(1))
        if row is None:
            raise ShadowAbsent(what="The model was never in the shadow.")
        return _shadow(row)

    def claim(
        self, shadow: Shadow, limit: int, last_made_at: datetime | None = None
    ) -> list[LiveResult]:
        """The oldest results it has not read, locked until the transaction ends; never waits for a lock.

        `after` is when the last result was made that this process claimed: older ones need not be looked at again.
        """
        since = max(shadow.started_at, last_made_at - VISIBILITY_SLACK) if last_made_at else shadow.started_at
        unread = ~exists().where(
            ShadowResultRow.shadow_id == shadow.id,
            ShadowResultRow.job_id == ResultRow.job_id,
        )
        told = ResultRow.body
        query = (
            select(
                ResultRow.job_id,
                ResultRow.hospital_id,
                CaseRow.image_sha256,
                CaseRow.roi,
                CaseRow.frame,
                told["prevalence"].as_float().label("prevalence"),
                ResultRow.model_digest.label("live_digest"),
                told["score"].as_float().label("live_score"),
                told["risk"].as_float().label("live_risk"),
                told["decision"].as_string().label("live_decision"),
                ResultRow.created_at.label("made_at"),
            )
            .join(JobRow, JobRow.id == ResultRow.job_id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(
                ResultRow.created_at > since,
                unread,
                _drawn(ResultRow.job_id, shadow.share),
            )
            .order_by(ResultRow.created_at)
            .limit(limit)
            .with_for_update(of=ResultRow, skip_locked=True)
        )
        return [LiveResult(**row._mapping) for row in self._session.execute(query)]

    def record(self, shadow: Shadow, said: Sequence[tuple[LiveResult, ShadowResult]]) -> int:
        """Write what it said beside what the live model said; nothing once the shadow has ended.

        `claim` may return a result that another process has read since: its snapshot is older than its locks. The
        first reading stays.

        Returns
        -------
        How many were written.
        """
        running = select(ShadowRow.id).where(
            ShadowRow.id == shadow.id, ShadowRow.ended_at.is_(None)
        )
        if not said or self._session.scalar(running.with_for_update(read=True)) is None:
            return 0
        rows = [
            {"shadow_id": shadow.id, **_live(watched), **vars(each)}
            for watched, each in said
        ]
        statement = insert(ShadowResultRow).on_conflict_do_nothing()
        written = self._session.scalars(
            statement.returning(ShadowResultRow.job_id), rows
        )
        return len(written.all())

    def pairs(self, shadow: Shadow) -> list[ShadowPair]:
        """All it has read, oldest first, each with the last outcome of its case."""
        later = aliased(OutcomeRow)
        last = ~exists().where(
            later.case_id == OutcomeRow.case_id, later.id > OutcomeRow.id
        )
        own = [
            field.name
            for field in fields(ShadowPair)
            if field.name not in ("hospital", "malignant")
        ]
        query = (
            select(
                HospitalRow.name.label("hospital"),
                *(getattr(ShadowResultRow, name) for name in own),
                OutcomeRow.malignant,
            )
            .join(HospitalRow, HospitalRow.id == ShadowResultRow.hospital_id)
            .join(JobRow, JobRow.id == ShadowResultRow.job_id)
            .outerjoin(OutcomeRow, and_(OutcomeRow.case_id == JobRow.case_id, last))
            .where(ShadowResultRow.shadow_id == shadow.id)
            .order_by(ShadowResultRow.made_at, ShadowResultRow.job_id)
        )
        return [ShadowPair(**row._mapping) for row in self._session.execute(query)]

    def count_waiting(self, shadow: Shadow) -> int:
        """Results it has still to read."""
        read = exists().where(
            ShadowResultRow.shadow_id == shadow.id,
            ShadowResultRow.job_id == ResultRow.job_id,
        )
        made = (
            ResultRow.created_at > shadow.started_at,
            ~read,
            _drawn(ResultRow.job_id, shadow.share),
        )
        return self._session.scalars(
            select(func.count()).select_from(ResultRow).where(*made)
        ).one()

    def _end(self, which: Any, reason: Message) -> Shadow | None:
        row = self._session.scalar(select(ShadowRow).where(which).with_for_update())
        if row is None:
            return None
        row.ended_at = NOW
        row.end_reason = reason.to_json()
        self._session.flush()
        self._session.refresh(row)
        self._audit.record(
            Event.SHADOW_ENDED,
            shadow=str(row.id),
            model=row.model_digest,
            code=reason.code,
            reason=reason.facts.get("reason"),
        )
        return _shadow(row)


def _drawn(job: Any, share: float) -> Any:
    """Whether a job is in the share, by its id: the same jobs for every shadow of that share."""
    place = func.abs(cast(func.hashtext(cast(job, String)), BigInteger)) % SHARE_RESOLUTION
    return literal(True) if share >= 1 else place < share * SHARE_RESOLUTION


def _live(watched: LiveResult) -> dict[str, Any]:
    names = (
        "job_id",
        "hospital_id",
        "live_digest",
        "live_score",
        "live_risk",
        "live_decision",
    )
    return {name: getattr(watched, name) for name in names}


def _shadow(row: ShadowRow) -> Shadow:
    columns = {field.name: getattr(row, field.name) for field in fields(Shadow)}
    reason = Message.from_json(row.end_reason) if row.end_reason else None
    return Shadow(**columns | {"end_reason": reason})
