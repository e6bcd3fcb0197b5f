"""Erases cases: at the request of their hospital, or when its retention time is over.

The code only marks the row. Triggers delete the data in the same transaction
(`migrations/initial/functions/erasure.sql`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import JobState, source_states
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.cases.repository import CaseErased
from shared.ledger.jobs.repository import notify_listeners
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, JobRow

UNFINISHED_STATES = (JobState.QUEUED, JobState.RUNNING)
OVERDUE = timedelta(days=1)
"""A case that has been due for this long is overdue: apparently no process is erasing cases."""

DUE_CASES = """
    SELECT c.id, c.hospital_id, c.created_at, h.id AS hospital, days
    FROM hospitals h
    CROSS JOIN LATERAL (SELECT coalesce({days}, h.retention_days, :default) AS days) kept
    CROSS JOIN LATERAL (
        SELECT id, hospital_id, created_at FROM cases
        WHERE hospital_id = h.id AND erased_at IS NULL
        AND created_at < clock_timestamp() - make_interval(days => kept.days)
        AND NOT EXISTS (
            SELECT FROM jobs WHERE case_id = cases.id AND state IN ('queued', 'running'))
        ORDER BY created_at LIMIT {limit}) c
"""
"""SQL that selects due cases by the database's clock.

Without a number of days, from the hospital or the installation, no case is due.
"""
OLDEST_DUE_CASES = DUE_CASES.format(days="NULL::integer", limit=":limit")
ALL_DUE_CASES = DUE_CASES.format(days="NULL::integer", limit="NULL")
DUE_CASES_AFTER_DAYS = DUE_CASES.format(days="CAST(:days AS integer)", limit="NULL")
OLDEST_DUE = text(
    f"SELECT id FROM ({OLDEST_DUE_CASES}) due ORDER BY created_at LIMIT :limit"
)
LOCK_IF_DUE = text(
    """
    SELECT c.id FROM cases c JOIN hospitals h ON h.id = c.hospital_id
    WHERE c.id = :case AND erased_at IS NULL
    AND c.created_at < clock_timestamp()
        - make_interval(days => coalesce(h.retention_days, :default))
    FOR NO KEY UPDATE OF c SKIP LOCKED
    """
)
COUNT_DUE = text(
    f"""
    SELECT hospital, count(*),
           count(*) FILTER (
               WHERE created_at < clock_timestamp() - make_interval(days => days) - :overdue)
    FROM ({ALL_DUE_CASES}) due GROUP BY hospital
    """
)
COUNT_DUE_AFTER_DAYS = text(
    f"SELECT count(*) FROM ({DUE_CASES_AFTER_DAYS}) due WHERE hospital = :hospital"
)


@dataclass(frozen=True)
class DueCases:
    """Counts of a hospital's cases that are older than its retention time.

    `overdue` counts the cases that have been due for at least a day.
    """

    cases: int = 0
    overdue: int = 0


class Erasures(HospitalRepository):
    """Erases a hospital's own cases."""

    def __init__(
        self, session: Session, hospital: UUID, audit: AuditTrail, actor: str
    ) -> None:
        super().__init__(session, hospital)
        self._audit = audit
        self._actor = actor

    def erase(self, case_id: UUID, reason: ErasureReason) -> CaseErased | None:
        """Erase a case, and return its tombstone; None if the hospital has no such case.

        A case that was erased before keeps its earlier tombstone.
        """
        row = self._lock(case_id)
        if row is None:
            return None
        if row.erased_at is None:
            jobs = _lock_jobs(self._session, case_id)
            erase(
                session=self._session,
                audit=self._audit,
                row=row,
                jobs=jobs,
                reason=reason,
                actor=self._actor,
            )
            self._session.refresh(row)
        return CaseErased.from_row(row)

    def _lock(self, case_id: UUID) -> CaseRow | None:
        query = select(CaseRow).where(CaseRow.id == case_id)
        query = self._restrict_to_hospital(query, CaseRow)
        return self._session.scalar(query.with_for_update(key_share=True))


class Retention:
    """Erases the cases of all hospitals that are older than their hospital's retention time."""

    def __init__(self, session: Session, audit: AuditTrail, actor: str) -> None:
        self._session = session
        self._audit = audit
        self._actor = actor

    def oldest_due(self, default_days: int | None, limit: int) -> list[UUID]:
        """Return the ids of the cases to erase, oldest first."""
        parameters = {"default": default_days, "limit": limit}
        return list(self._session.scalars(OLDEST_DUE, parameters))

    def erase(self, case_id: UUID, default_days: int | None) -> bool:
        """Erase a case if it is still due.

        Returns False if the case is not due, or if another process is erasing it. Erase one case
        per transaction: every erasure then locks its objects in the same order, so that two
        erasures never wait for each other.
        """
        parameters = {"default": default_days, "case": case_id}
        if self._session.scalar(LOCK_IF_DUE, parameters) is None:
            return False
        row = self._session.get_one(CaseRow, case_id)
        jobs = _lock_jobs(self._session, case_id)
        if any(job.state in UNFINISHED_STATES for job in jobs):
            return False
        self._erase(row, jobs, ErasureReason.RETENTION)
        return True

    def erase_again(self, case_id: UUID, reason: ErasureReason) -> bool:
        """Erase a case that a restored backup contained; False if there is no such case."""
        row = self._session.get(CaseRow, case_id, with_for_update=True)
        if row is None or row.erased_at is not None:
            return False
        self._erase(row, _lock_jobs(self._session, case_id), reason)
        return True

    def count_due(self, default_days: int | None) -> dict[UUID, DueCases]:
        """Count the due cases of each hospital. Hospitals without due cases are left out."""
        parameters = {"default": default_days, "overdue": OVERDUE}
        rows = self._session.execute(COUNT_DUE, parameters)
        return {
            hospital: DueCases(cases=cases, overdue=overdue)
            for hospital, cases, overdue in rows
        }

    def count_due_with_retention(self, hospital: UUID, days: int) -> int:
        """Count the cases that would be due if the hospital's retention time were `days`."""
        parameters = {"default": None, "days": days, "hospital": hospital}
        cases: int = self._session.scalars(COUNT_DUE_AFTER_DAYS, parameters).one()
        return cases

    def _erase(
        self, row: CaseRow, jobs: Sequence[JobRow], reason: ErasureReason
    ) -> None:
        erase(
            session=self._session,
            audit=self._audit,
            row=row,
            jobs=jobs,
            reason=reason,
            actor=self._actor,
        )


def erase(
    session: Session,
    audit: AuditTrail,
    row: CaseRow,
    jobs: Sequence[JobRow],
    reason: ErasureReason,
    actor: str,
) -> None:
    """Mark a locked case as erased, and cancel its unfinished jobs."""
    marks = {
        "erased_at": func.clock_timestamp(),
        "erased_by": actor,
        "erased_for": reason,
    }
    session.execute(update(CaseRow).where(CaseRow.id == row.id).values(marks))
    cancellable = source_states(JobState.CANCELLED)
    entries = [
        AuditEntry(
            event=Event.JOB_CANCELLED,
            hospital_id=row.hospital_id,
            case_id=row.id,
            job_id=job.id,
            details={"why": CaseErased.code},
        )
        for job in jobs
        if job.state in cancellable
    ]
    entries.append(
        AuditEntry(
            event=Event.CASE_ERASED,
            hospital_id=row.hospital_id,
            case_id=row.id,
            details={"ground": reason, "image": row.image_sha256},
        )
    )
    audit.record_all(entries)
    notify_listeners(session, [job.id for job in jobs])


def _lock_jobs(session: Session, case_id: UUID) -> list[JobRow]:
    """Lock and return the case's jobs. The lock waits for a worker that is writing a result."""
    query = select(JobRow).where(JobRow.case_id == case_id).order_by(JobRow.id)
    return list(session.scalars(query.with_for_update(key_share=True)))
