"""A hospital's jobs: open, read, list, cancel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, load_only

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState, Priority
from shared.domain.results.result import Result
from shared.errors import Conflict
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import check_kept
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import AnySelect, CaseRow, JobRow, ResultRow
from shared.observability.tracing import traceparent

CHANGED = "sera_jobs"
"""Postgres channel on which a job's id is notified when it changes."""

NOTIFICATION = func.pg_notify(CHANGED, cast(JobRow.id, Text))
"""For the RETURNING of an update: at commit, listeners are notified of each job that it changed."""

REMEMBERED = timedelta(seconds=30)
"""How far back results count: half of it is the longest that a newcomer goes ahead of those served all along."""


class NotCancellable(Conflict):
    code = "not-cancellable"
    text = "The job is {state}; only a queued job can be cancelled."


class NotADeadLetter(Conflict):
    code = "not-a-dead-letter"
    text = "The job is {state}; only a failed job can be run again."


@dataclass(frozen=True)
class Job:
    id: UUID
    case_id: UUID
    state: JobState
    priority: Priority
    attempts: int
    created_at: datetime
    updated_at: datetime
    reason: str | None
    facts: dict[str, Any] | None
    position: int | None
    result: Result | None


class Jobs(HospitalRepository):
    def __init__(self, session: Session, hospital: UUID, audit: AuditTrail) -> None:
        super().__init__(session, hospital)
        self._audit = audit

    def open(self, case_id: UUID, priority: Priority) -> UUID:
        whose = {
            "case_id": case_id,
            "hospital_id": self._hospital,
            "traceparent": traceparent(),
        }
        row = JobRow(**whose, urgent=priority is Priority.URGENT)
        self._session.add(row)
        self._session.flush()
        return row.id

    def find(self, job_id: UUID) -> Job | None:
        """Raises CaseErased."""
        row = self._session.execute(self._view().where(JobRow.id == job_id)).first()
        if row is None:
            return None
        check_kept(row.CaseRow)
        return _job(row)

    def page(
        self, state: JobState | None, before: tuple[datetime, UUID] | None, limit: int
    ) -> list[Job]:
        """Newest first, those of erased cases left out; `before` is the (created_at, id) of the last one seen."""
        query = (
            self._view()
            .where(CaseRow.erased_at.is_(None))
            .order_by(JobRow.created_at.desc(), JobRow.id.desc())
            .limit(limit)
        )
        if state:
            query = query.where(JobRow.state == state)
        if before:
            query = query.where(
                tuple_(JobRow.created_at, JobRow.id)
                < tuple_(literal(before[0]), literal(before[1]))
            )
        return [_job(row) for row in self._session.execute(query)]

    def cancel(self, job_id: UUID) -> bool:
        """Cancel a queued job; False if there is none, NotCancellable or CaseErased if it is past that."""
        row = self._session.scalar(
            self._restrict_to_hospital(select(JobRow), JobRow)
            .where(JobRow.id == job_id)
            .with_for_update()
        )
        if row is None:
            return False
        check_kept(self._session.get_one(CaseRow, row.case_id))
        if row.state != JobState.QUEUED:
            raise NotCancellable(state=row.state)
        row.state = JobState.CANCELLED
        row.updated_at = func.clock_timestamp()
        self._audit.record(Event.JOB_CANCELLED, case=row.case_id, job=job_id)
        notify(self._session, [job_id])
        return True

    def rerun(self, job_id: UUID) -> bool:
        """Queue a dead letter again with fresh attempts; False if there is none, NotADeadLetter or CaseErased."""
        row = self._session.scalar(
            self._restrict_to_hospital(select(JobRow), JobRow)
            .where(JobRow.id == job_id)
            .with_for_update()
        )
        if row is None:
            return False
        check_kept(self._session.get_one(CaseRow, row.case_id))
        if row.state != JobState.FAILED:
            raise NotADeadLetter(state=row.state)
        self._again([row])
        return True

    def rerun_all(self, reason: str, most: int) -> list[UUID]:
        """Queue dead letters of this reason again, the oldest first; those that others have in hand are passed over."""
        dead = (JobRow.state == JobState.FAILED, JobRow.reason == reason)
        query = (
            self._restrict_to_hospital(select(JobRow), JobRow)
            .where(*dead)
            .order_by(JobRow.created_at, JobRow.id)
            .limit(most)
        )
        rows = self._session.scalars(query.with_for_update(skip_locked=True)).all()
        self._again(rows)
        return [row.id for row in rows]

    def _again(self, rows: Sequence[JobRow]) -> None:
        for row in rows:
            row.state = JobState.QUEUED
            row.attempts = 0
            row.reason = None
            row.facts = None
            row.updated_at = func.clock_timestamp()
            self._audit.record(Event.JOB_RERUN, case=row.case_id, job=row.id, attempt=0)
        notify(self._session, [row.id for row in rows])

    def _view(self) -> AnySelect:
        line = JobRow.hospital_id, JobRow.urgent, JobRow.queued_at
        ahead = func.sera_jobs_ahead(*line, REMEMBERED, type_=BigInteger)
        position = case((JobRow.state == JobState.QUEUED, ahead + 1))
        query = select(JobRow, position, ResultRow.body, CaseRow).join(
            CaseRow, CaseRow.id == JobRow.case_id
        )
        query = query.options(
            load_only(CaseRow.erased_at, CaseRow.erased_for)
        )  # an ROI may be long
        return self._restrict_to_hospital(
            query.outerjoin(ResultRow, ResultRow.job_id == JobRow.id), JobRow
        )


def notify(session: Session, jobs: list[UUID]) -> None:
    """Tell listeners, at commit, that these jobs changed."""
    if jobs:
        session.execute(
            select(func.pg_notify(CHANGED, func.unnest([str(job) for job in jobs])))
        )


def _job(row: Any) -> Job:
    job, position, body, _ = row
    return Job(
        job.id,
        job.case_id,
        JobState(job.state),
        Priority.URGENT if job.urgent else Priority.ROUTINE,
        job.attempts,
        job.created_at,
        job.updated_at,
        job.reason,
        job.facts,
        position,
        Result.from_json(body) if body else None,
    )
