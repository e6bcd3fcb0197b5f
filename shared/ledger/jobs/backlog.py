"""What an operator sees of the queue: who waits how long, what is in hand until when, what lies among the dead."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, literal, literal_column, select
from sqlalchemy.orm import Session

from shared.domain.jobs import Reason
from shared.ledger.tables import HospitalRow, JobRow

NOW = func.clock_timestamp()
QUEUED, RUNNING, FAILED = (
    JobRow.state == literal_column(f"'{state}'")
    for state in ("queued", "running", "failed")
)
"""Written out, so that the partial indexes are used."""
REASON = func.coalesce(JobRow.reason, literal_column(f"'{Reason.INTERNAL}'"))


@dataclass(frozen=True)
class Line:
    """What waits of one hospital in one lane; `oldest_s` since the first of them was queued."""

    hospital: str
    urgent: bool
    jobs: int
    oldest_s: float


@dataclass(frozen=True)
class InHand:
    """A job that a worker holds; `left_s` below 0: its lease ran out and nobody has taken it back yet."""

    job_id: UUID
    hospital: str
    urgent: bool
    worker: str
    attempts: int
    lease_until: datetime
    left_s: float


@dataclass(frozen=True)
class Dead:
    """Dead letters of one reason."""

    reason: str
    jobs: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True)
class DeadLetter:
    job_id: UUID
    hospital: str
    reason: str
    attempts: int
    failed_at: datetime


class Backlog:
    """Over all hospitals; ids and counts, nothing of a case."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lines(self) -> list[Line]:
        """By hospital, the urgent lane first."""
        oldest = func.extract("epoch", NOW - func.min(JobRow.queued_at))
        query = (
            select(HospitalRow.name, JobRow.urgent, func.count(), oldest)
            .join(JobRow)
            .where(QUEUED)
        )
        grouped = query.group_by(HospitalRow.name, JobRow.urgent).order_by(
            HospitalRow.name, JobRow.urgent.desc()
        )
        return [
            Line(name, urgent, jobs, float(age))
            for name, urgent, jobs, age in self._session.execute(grouped)
        ]

    def in_hand(self, most: int) -> list[InHand]:
        """Those whose leases end first; those that ran out lead."""
        left = func.extract("epoch", JobRow.lease_until - NOW).label("left_s")
        names = (
            JobRow.id,
            HospitalRow.name,
            JobRow.urgent,
            JobRow.worker,
            JobRow.attempts,
            JobRow.lease_until,
            left,
        )
        query = (
            select(*names)
            .join(HospitalRow)
            .where(RUNNING)
            .order_by(JobRow.lease_until, JobRow.id)
            .limit(most)
        )
        return [
            InHand(
                job_id=row.id,
                hospital=row.name,
                urgent=row.urgent,
                worker=row.worker,
                attempts=row.attempts,
                lease_until=row.lease_until,
                left_s=float(row.left_s),
            )
            for row in self._session.execute(query)
        ]

    def expired(self) -> int:
        """Leases that ran out and that no worker has taken back yet."""
        query = select(func.count()).where(RUNNING, JobRow.lease_until < NOW)
        return self._session.scalars(query).one()

    def dead(self) -> list[Dead]:
        """By reason, the most frequent first."""
        told = (
            REASON,
            func.count(),
            func.min(JobRow.updated_at),
            func.max(JobRow.updated_at),
        )
        query = (
            select(*told)
            .where(FAILED)
            .group_by(REASON)
            .order_by(func.count().desc(), REASON)
        )
        return [Dead(*row) for row in self._session.execute(query)]

    def dead_letters(self, reason: str, most: int) -> list[DeadLetter]:
        """Of one reason, those that failed last."""
        told = (JobRow.id, HospitalRow.name, REASON, JobRow.attempts, JobRow.updated_at)
        query = select(*told).join(HospitalRow).where(FAILED, literal(reason) == REASON)
        newest = query.order_by(JobRow.updated_at.desc(), JobRow.id).limit(most)
        return [DeadLetter(*row) for row in self._session.execute(newest)]
