"""Runs dead letters again: those of one hospital, or for an operator those of all hospitals."""

from collections.abc import Sequence
from typing import TypeVarTuple
from uuid import UUID

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.errors import Conflict
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.cases.repository import check_not_erased
from shared.ledger.jobs.backlog import FAILED, REASON
from shared.ledger.jobs.repository import NOTIFICATION
from shared.ledger.tables import AnyRow, CaseRow, JobRow

Columns = TypeVarTuple("Columns")
JOB_COLUMNS = (JobRow.id, JobRow.case_id, JobRow.hospital_id, JobRow.state)


class NotADeadLetter(Conflict):
    code = "not-a-dead-letter"
    text = "The job is {state}; only a failed job can be run again."


class DeadLetters:
    """Dead letters of one hospital, or of all hospitals if `hospital` is None."""

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def rerun(self, job_id: UUID) -> bool:
        """Queue a dead letter again with fresh attempts; False if there is no such job.

        Raises NotADeadLetter. For a hospital's caller it also raises CaseErased.
        """
        query = select(*JOB_COLUMNS).where(JobRow.id == job_id)
        job = self._session.execute(
            self._restrict_to_hospital(query).with_for_update()
        ).first()
        if job is None:
            return False
        if self._hospital is not None:
            check_not_erased(self._session.get_one(CaseRow, job.case_id))
        if job.state != JobState.FAILED:
            raise NotADeadLetter(state=job.state)
        self._queue_again([job])
        return True

    def rerun_all(self, reason: str, limit: int) -> list[UUID]:
        """Queue the oldest dead letters of this reason again, and return their ids.

        Jobs that another transaction has locked are skipped.
        """
        query = (
            select(*JOB_COLUMNS)
            .where(FAILED, literal(reason) == REASON)
            .order_by(JobRow.created_at, JobRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        jobs = self._session.execute(self._restrict_to_hospital(query)).all()
        self._queue_again(jobs)
        return [job.id for job in jobs]

    def _queue_again(self, jobs: Sequence[AnyRow]) -> None:
        """Change the locked jobs and, at commit, notify listeners."""
        if not jobs:
            return
        statement = (
            update(JobRow)
            .where(JobRow.id.in_([job.id for job in jobs]))
            .values(
                state=JobState.QUEUED,
                attempts=0,
                reason=None,
                facts=None,
                updated_at=func.clock_timestamp(),
            )
            .returning(NOTIFICATION)
        )
        self._session.execute(statement).all()
        for job in jobs:
            entry = AuditEntry(
                event=Event.JOB_RERUN,
                hospital_id=job.hospital_id,
                case_id=job.case_id,
                job_id=job.id,
                details={"attempt": 0},
            )
            self._audit.record_all([entry])

    def _restrict_to_hospital(self, query: Select[*Columns]) -> Select[*Columns]:
        if self._hospital is None:
            return query
        return query.where(JobRow.hospital_id == self._hospital)
