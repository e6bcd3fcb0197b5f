"""Erasure of cases: by their hospital, one by one, or by the house when the hospital's time for keeping them is over.

The row is marked; the database does the rest in the same transaction
(`migrations/initial/functions/erasure.sql`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.erasure import Ground
from shared.domain.jobs import JobState, origins
from shared.ledger.audit.repository import AuditTrail, Entry
from shared.ledger.cases.repository import CaseErased
from shared.ledger.jobs.repository import notify
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, JobRow

OPEN = (JobState.QUEUED, JobState.RUNNING)
OVERDUE = timedelta(days=1)
"""A case that should be gone for so long is overdue: nobody is erasing."""

DUE = """
    SELECT c.id, c.hospital_id, c.created_at, h.id AS hospital, days
    FROM hospitals h
    CROSS JOIN LATERAL (SELECT coalesce({days}, h.retention_days, :default) AS days) kept
    CROSS JOIN LATERAL (
        SELECT id, hospital_id, created_at FROM cases
        WHERE hospital_id = h.id AND erased_at IS NULL
        AND created_at < clock_timestamp() - make_interval(days => kept.days)
        AND NOT EXISTS (SELECT FROM jobs WHERE case_id = cases.id AND state IN ('queued', 'running'))
        ORDER BY created_at LIMIT {most}) c
"""
"""By the database's clock. Where neither the hospital nor the installation says a number of days, nothing is due."""
OLDEST = text(
    f"SELECT id FROM ({DUE.format(days='NULL::integer', most=':most')}) due ORDER BY created_at LIMIT :most"
)
STILL_DUE = text(
    """
    SELECT c.id FROM cases c JOIN hospitals h ON h.id = c.hospital_id
    WHERE c.id = :case AND erased_at IS NULL
    AND c.created_at < clock_timestamp() - make_interval(days => coalesce(h.retention_days, :default))
    FOR NO KEY UPDATE OF c SKIP LOCKED
    """
)
COUNT = text(
    f"""
    SELECT hospital, count(*),
           count(*) FILTER (WHERE created_at < clock_timestamp() - make_interval(days => days) - :overdue)
    FROM ({DUE.format(days="NULL::integer", most="NULL")}) due GROUP BY hospital
    """
)
WOULD = text(
    f"SELECT count(*) FROM ({DUE.format(days='CAST(:days AS integer)', most='NULL')}) due WHERE hospital = :of"
)


@dataclass(frozen=True)
class DueCases:
    """Cases of a hospital that are older than it keeps them; `overdue` ones have been so for a day."""

    cases: int = 0
    overdue: int = 0


class Erasures(HospitalRepository):
    """A hospital's own."""

    def __init__(
        self, session: Session, hospital: UUID, audit: AuditTrail, actor: str
    ) -> None:
        super().__init__(session, hospital)
        self._audit = audit
        self._actor = actor

    def erase(self, case_id: UUID, ground: Ground) -> CaseErased | None:
        """The tombstone, which is the earlier one if the case was erased before; None for no case of this hospital."""
        row = self._find(case_id)
        if row is None:
            return None
        if row.erased_at is None:
            erase(
                self._session,
                self._audit,
                row,
                _jobs(self._session, case_id),
                ground,
                self._actor,
            )
            self._session.refresh(row)
        return CaseErased.of(row)

    def _find(self, case_id: UUID) -> CaseRow | None:
        query = self._restrict_to_hospital(select(CaseRow), CaseRow).where(CaseRow.id == case_id)
        return self._session.scalar(query.with_for_update(key_share=True))


class Retention:
    """The house's side: which cases are kept longer than their hospital wants, and their end."""

    def __init__(self, session: Session, audit: AuditTrail, actor: str) -> None:
        self._session = session
        self._audit = audit
        self._actor = actor

    def oldest_due(self, default_days: int | None, limit: int) -> list[UUID]:
        """Cases to be erased."""
        return list(
            self._session.scalars(OLDEST, {"default": default_days, "most": limit})
        )

    def erase(self, case_id: UUID, default_days: int | None) -> bool:
        """Erase a case that is due still; False if not, or if another is at it.

        One in a transaction: what two of them let go of they name in one order, so neither waits for the other in a
        circle.
        """
        if (
            self._session.scalar(STILL_DUE, {"default": default_days, "case": case_id})
            is None
        ):
            return False
        row = self._session.get_one(CaseRow, case_id)
        jobs = _jobs(self._session, case_id)
        if any(job.state in OPEN for job in jobs):
            return False
        erase(self._session, self._audit, row, jobs, Ground.RETENTION, self._actor)
        return True

    def erase_again(self, case_id: UUID, ground: Ground) -> bool:
        """Erase a case that was erased before and came back with an older ledger; False if it did not."""
        row = self._session.get(CaseRow, case_id, with_for_update=True)
        if row is None or row.erased_at is not None:
            return False
        erase(
            self._session,
            self._audit,
            row,
            _jobs(self._session, case_id),
            ground,
            self._actor,
        )
        return True

    def due(self, default_days: int | None) -> dict[UUID, DueCases]:
        """By hospital; those with nothing due are left out."""
        rows = self._session.execute(
            COUNT, {"default": default_days, "overdue": OVERDUE}
        )
        return {hospital: DueCases(cases, overdue) for hospital, cases, overdue in rows}

    def count_due_with_retention(self, hospital: UUID, days: int) -> int:
        """Cases of the hospital that would be due if it kept them for so many days."""
        parameters = {"default": None, "days": days, "of": hospital}
        cases: int = self._session.scalars(WOULD, parameters).one()
        return cases


def erase(
    session: Session,
    audit: AuditTrail,
    row: CaseRow,
    jobs: Sequence[JobRow],
    ground: Ground,
    actor: str,
) -> None:
    """Mark a locked case as erased; what was still to be done for it is cancelled."""
    marks = {
        "erased_at": func.clock_timestamp(),
        "erased_by": actor,
        "erased_for": ground,
    }
    session.execute(update(CaseRow).where(CaseRow.id == row.id).values(marks))
    audit.record_all(
        Entry(
            Event.JOB_CANCELLED,
            row.hospital_id,
            row.id,
            job.id,
            {"why": CaseErased.code},
        )
        for job in jobs
        if job.state in origins(JobState.CANCELLED)
    )
    told = {"ground": ground, "image": row.image_sha256}
    audit.record_all([Entry(Event.CASE_ERASED, row.hospital_id, row.id, details=told)])
    notify(session, [job.id for job in jobs])


def _jobs(session: Session, case_id: UUID) -> list[JobRow]:
    """Locked: a worker that is writing a result is waited for."""
    query = select(JobRow).where(JobRow.case_id == case_id).order_by(JobRow.id)
    return list(session.scalars(query.with_for_update(key_share=True)))
