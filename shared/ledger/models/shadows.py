"""Shadow evaluations: a candidate processes live cases beside the live model, without effect."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
)
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
"""Shares of traffic differ by at least a hundredth of a percent."""
VISIBILITY_SLACK = timedelta(minutes=10)
"""A transaction may commit its result up to this long after the time of the result."""
LIVE_COLUMNS = (
    "job_id",
    "hospital_id",
    "live_digest",
    "live_score",
    "live_risk",
    "live_decision",
)
"""The columns of a shadow's result that come from the live model's result."""
PAIR_COLUMNS = (
    ShadowResultRow.live_digest,
    ShadowResultRow.live_score,
    ShadowResultRow.live_risk,
    ShadowResultRow.live_decision,
    ShadowResultRow.score,
    ShadowResultRow.risk,
    ShadowResultRow.decision,
    ShadowResultRow.made_at,
)


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
    """A shadow evaluation of a candidate, which processes `share` of the jobs."""

    id: UUID
    model_digest: str
    share: float
    actor: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: Message | None


@dataclass(frozen=True)
class LiveResult:
    """A result of the live model, with the inputs that a shadow needs to process the same image."""

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
    """A shadow's result for a job, or the reason why it could not process the image."""

    score: float | None = None
    risk: float | None = None
    decision: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ShadowPair:
    """The results of the live model and the shadow for one job.

    `malignant` is None while the outcome is unknown.
    """

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
        """Start a shadow evaluation of a stored model, on all later results.

        Raises
        ------
        AlreadyLive, ShadowRunning
        """
        self._session.execute(
            select(func.pg_advisory_xact_lock(func.hashtext("sera.shadows")))
        )
        if digest == live_digest(self._session):
            raise AlreadyLive(name=f"Model {digest[:12]}")
        running = self.current()
        if running:
            raise ShadowRunning(digest=running.model_digest)
        row = ShadowRow(model_digest=digest, share=share, actor=actor)
        self._session.add(row)
        self._session.flush()
        self._audit.record(
            Event.SHADOW_STARTED, shadow=str(row.id), model=digest, share=share
        )
        return _shadow(row)

    def current(self) -> Shadow | None:
        """The running shadow evaluation."""
        query = select(ShadowRow).where(ShadowRow.ended_at.is_(None))
        row = self._session.scalar(query)
        return _shadow(row) if row else None

    def stop(self, reason: Message) -> Shadow:
        """End the running shadow evaluation; raises ShadowAbsent."""
        shadow = self._end(ShadowRow.ended_at.is_(None), reason)
        if shadow is None:
            raise ShadowAbsent(what="No model runs in the shadow.")
        return shadow

    def end_for_model(self, digest: str, reason: Message) -> None:
        """End the running shadow evaluation if it is this model's."""
        is_running = and_(
            ShadowRow.ended_at.is_(None), ShadowRow.model_digest == digest
        )
        self._end(is_running, reason)

    def latest_of_model(self, digest: str) -> Shadow:
        """Return a model's latest shadow evaluation; raises ShadowAbsent."""
        query = (
            select(ShadowRow)
            .where(ShadowRow.model_digest == digest)
            .order_by(ShadowRow.started_at.desc())
            .limit(1)
        )
        row = self._session.scalar(query)
        if row is None:
            raise ShadowAbsent(what="The model was never in the shadow.")
        return _shadow(row)

    def claim(
        self, shadow: Shadow, limit: int, last_made_at: datetime | None = None
    ) -> list[LiveResult]:
        """Claim the oldest results that the shadow has not processed. Never waits for a lock.

        The results are locked until the transaction ends. `last_made_at` is the time of the last
        result that this process claimed, so that the query can skip older ones.
        """
        first_made_at = shadow.started_at
        if last_made_at:
            first_made_at = max(shadow.started_at, last_made_at - VISIBILITY_SLACK)
        body = ResultRow.body
        query = (
            select(
                ResultRow.job_id,
                ResultRow.hospital_id,
                CaseRow.image_sha256,
                CaseRow.roi,
                CaseRow.frame,
                body["prevalence"].as_float().label("prevalence"),
                ResultRow.model_digest.label("live_digest"),
                body["score"].as_float().label("live_score"),
                body["risk"].as_float().label("live_risk"),
                body["decision"].as_string().label("live_decision"),
                ResultRow.created_at.label("made_at"),
            )
            .join(JobRow, JobRow.id == ResultRow.job_id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(
                ResultRow.created_at > first_made_at,
                ~_is_read(shadow),
                _is_in_share(shadow.share),
            )
            .order_by(ResultRow.created_at)
            .limit(limit)
            .with_for_update(of=ResultRow, skip_locked=True)
        )
        return [LiveResult(**row._mapping) for row in self._session.execute(query)]

    def record(
        self, shadow: Shadow, results: Sequence[tuple[LiveResult, ShadowResult]]
    ) -> int:
        """Store the shadow's results, unless the shadow evaluation has ended.

        `claim` may return a result that another process has processed in the meantime, because its
        snapshot is older than its locks. The first stored result stays.

        Returns
        -------
        How many were written.
        """
        if not results or not self._lock_running(shadow):
            return 0
        rows = []
        for live_result, shadow_result in results:
            live_values = {name: getattr(live_result, name) for name in LIVE_COLUMNS}
            rows.append({"shadow_id": shadow.id, **live_values, **vars(shadow_result)})
        statement = (
            insert(ShadowResultRow)
            .on_conflict_do_nothing()
            .returning(ShadowResultRow.job_id)
        )
        return len(self._session.scalars(statement, rows).all())

    def pairs(self, shadow: Shadow) -> list[ShadowPair]:
        """Return the jobs that the shadow has processed, oldest first, with their cases' latest
        outcomes.
        """
        newer = aliased(OutcomeRow)
        newer_outcome = exists().where(
            newer.case_id == OutcomeRow.case_id, newer.id > OutcomeRow.id
        )
        last_outcome = and_(OutcomeRow.case_id == JobRow.case_id, ~newer_outcome)
        query = (
            select(
                HospitalRow.name.label("hospital"), *PAIR_COLUMNS, OutcomeRow.malignant
            )
            .join(HospitalRow, HospitalRow.id == ShadowResultRow.hospital_id)
            .join(JobRow, JobRow.id == ShadowResultRow.job_id)
            .outerjoin(OutcomeRow, last_outcome)
            .where(ShadowResultRow.shadow_id == shadow.id)
            .order_by(ShadowResultRow.made_at, ShadowResultRow.job_id)
        )
        return [ShadowPair(**row._mapping) for row in self._session.execute(query)]

    def count_waiting(self, shadow: Shadow) -> int:
        """Count the results that the shadow has still to process."""
        query = (
            select(func.count())
            .select_from(ResultRow)
            .where(
                ResultRow.created_at > shadow.started_at,
                ~_is_read(shadow),
                _is_in_share(shadow.share),
            )
        )
        return self._session.scalars(query).one()

    def _lock_running(self, shadow: Shadow) -> bool:
        """Whether the shadow is running; if so, it cannot end before this transaction does."""
        query = select(ShadowRow.id).where(
            ShadowRow.id == shadow.id, ShadowRow.ended_at.is_(None)
        )
        return self._session.scalar(query.with_for_update(read=True)) is not None

    def _end(self, condition: ColumnElement[bool], reason: Message) -> Shadow | None:
        query = select(ShadowRow).where(condition)
        row = self._session.scalar(query.with_for_update())
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


def _is_read(shadow: Shadow) -> ColumnElement[bool]:
    """Whether the shadow has processed the case of a result."""
    return exists().where(
        ShadowResultRow.shadow_id == shadow.id,
        ShadowResultRow.job_id == ResultRow.job_id,
    )


def _is_in_share(share: float) -> ColumnElement[bool]:
    """Whether a result is in the share, by its job's id: the same jobs for each shadow."""
    if share >= 1:
        return literal(True)
    hash_value = cast(func.hashtext(cast(ResultRow.job_id, String)), BigInteger)
    place = func.abs(hash_value) % SHARE_RESOLUTION
    return place < share * SHARE_RESOLUTION


def _shadow(row: ShadowRow) -> Shadow:
    values = {field.name: getattr(row, field.name) for field in fields(Shadow)}
    if row.end_reason:
        values["end_reason"] = Message.from_json(row.end_reason)
    return Shadow(**values)
