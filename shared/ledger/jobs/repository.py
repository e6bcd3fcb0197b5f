"""A hospital's jobs: create, read, list, cancel."""

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
from shared.domain.jobs import JobState, Priority, Reason
from shared.domain.results.result import Result
from shared.errors import Conflict
from shared.ledger.audit.evidence import is_genuine
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.cases.repository import check_not_erased
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import AnyRow, AnySelect, CaseRow, JobRow, ResultRow
from shared.observability.tracing import traceparent

CHANNEL = "sera_jobs"
"""The PostgreSQL channel that carries the id of each changed job, run, or preview with outlines."""

NOTIFICATION = func.pg_notify(CHANNEL, cast(JobRow.id, Text))
"""Goes into the RETURNING clause of an update.

At commit listeners get the id of each changed job.
"""

FAIRNESS_WINDOW = timedelta(seconds=30)
"""Results of this last period count when the queue is shared fairly between hospitals.

A hospital that has just begun to send cases goes ahead of the others for at most half of this
period.
"""


class NotCancellable(Conflict):
    code = "not-cancellable"
    text = "The job is {state}; only a queued job can be cancelled."


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

    def create(self, case_id: UUID, priority: Priority) -> UUID:
        row = JobRow(
            case_id=case_id,
            hospital_id=self._hospital,
            traceparent=traceparent(),
            urgent=priority is Priority.URGENT,
        )
        self._session.add(row)
        self._session.flush()
        return row.id

    def find(self, job_id: UUID) -> Job | None:
        """Raises CaseErased."""
        row = self._session.execute(self._view().where(JobRow.id == job_id)).first()
        if row is None:
            return None
        check_not_erased(row.CaseRow)
        return _job(row)

    def page(
        self,
        state: JobState | None,
        position: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Job]:
        """Return a page of jobs, newest first, without jobs of erased cases.

        `position` is the (created_at, id) of the last job of the previous page.
        """
        query = (
            self._view()
            .where(CaseRow.erased_at.is_(None))
            .order_by(JobRow.created_at.desc(), JobRow.id.desc())
            .limit(limit)
        )
        if state:
            query = query.where(JobRow.state == state)
        if position:
            created_at, job_id = position
            query = query.where(
                tuple_(JobRow.created_at, JobRow.id)
                < tuple_(literal(created_at), literal(job_id))
            )
        return [_job(row) for row in self._session.execute(query)]

    def cancel(self, job_id: UUID) -> bool:
        """Cancel a queued job; False if there is no such job.

        Raises NotCancellable, CaseErased.
        """
        query = select(JobRow).where(JobRow.id == job_id)
        row = self._session.scalar(
            self._restrict_to_hospital(query, JobRow).with_for_update()
        )
        if row is None:
            return False
        check_not_erased(self._session.get_one(CaseRow, row.case_id))
        if row.state != JobState.QUEUED:
            raise NotCancellable(state=row.state)
        row.state = JobState.CANCELLED
        row.updated_at = func.clock_timestamp()
        self._audit.record(Event.JOB_CANCELLED, case=row.case_id, job=job_id)
        notify_listeners(self._session, [job_id])
        return True

    def _view(self) -> AnySelect:
        jobs_ahead = func.sera_jobs_ahead(
            JobRow.hospital_id,
            JobRow.urgent,
            JobRow.queued_at,
            FAIRNESS_WINDOW,
            type_=BigInteger,
        )
        position = case((JobRow.state == JobState.QUEUED, jobs_ahead + 1))
        query = (
            select(JobRow, position, ResultRow.body, is_genuine(), CaseRow)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .outerjoin(ResultRow, ResultRow.job_id == JobRow.id)
            # An ROI may be long, so only these columns of the case are loaded.
            .options(load_only(CaseRow.erased_at, CaseRow.erased_for))
        )
        return self._restrict_to_hospital(query, JobRow)


def notify_listeners(session: Session, subjects: list[UUID]) -> None:
    """Notify listeners, at commit, that these jobs, or the outlines of these previews, changed."""
    if subjects:
        ids = func.unnest([str(subject) for subject in subjects])
        session.execute(select(func.pg_notify(CHANNEL, ids)))


def _job(row: AnyRow) -> Job:
    """A job whose result was altered has failed, and shows none."""
    job, position, body, genuine, _ = row
    has_result = body is not None or job.state == JobState.DONE
    is_altered = has_result and not genuine
    state = JobState.FAILED if is_altered else JobState(job.state)
    return Job(
        id=job.id,
        case_id=job.case_id,
        state=state,
        priority=Priority.URGENT if job.urgent else Priority.ROUTINE,
        attempts=job.attempts,
        created_at=job.created_at,
        updated_at=job.updated_at,
        reason=Reason.RESULT_CHANGED if is_altered else job.reason,
        facts=job.facts,
        position=position,
        result=Result.from_json(body) if body and not is_altered else None,
    )
