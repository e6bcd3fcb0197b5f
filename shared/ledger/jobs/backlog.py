"""An operator's view of the queue: waiting jobs, running jobs, dead letters."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, literal, literal_column, or_, select
from sqlalchemy.orm import Session

from shared.domain.jobs import Reason
from shared.ledger.tables import HospitalRow, JobRow

NOW = func.clock_timestamp()
QUEUED = JobRow.state == literal_column("'queued'")
RUNNING = JobRow.state == literal_column("'running'")
FAILED = JobRow.state == literal_column("'failed'")
"""The states are literals, not parameters, so that PostgreSQL uses the partial indexes."""
CLOCK_TOLERANCE = timedelta(minutes=1)
IS_AHEAD = JobRow.updated_at > NOW + CLOCK_TOLERANCE
"""The clock was set back since the job changed, so that its times are in the future."""
IS_DUE = or_(JobRow.available_at <= NOW, IS_AHEAD)
IS_EXPIRED = or_(
    JobRow.lease_until < NOW,
    and_(IS_AHEAD, JobRow.lease_until > NOW + CLOCK_TOLERANCE),
)
"""A live worker renews its lease by the clock as it is now."""
REASON = func.coalesce(JobRow.reason, literal_column(f"'{Reason.INTERNAL}'"))


@dataclass(frozen=True)
class WaitingJobs:
    """Waiting jobs of one hospital in one lane; `oldest_s` is the age of the oldest."""

    hospital: str
    urgent: bool
    jobs: int
    oldest_s: float


@dataclass(frozen=True)
class RunningJob:
    """A job that a worker has claimed.

    `left_s` is the rest of its lease in seconds. Below 0 the lease ran out, and no worker has
    returned the job to the queue yet.
    """

    job_id: UUID
    hospital: str
    urgent: bool
    worker: str
    attempts: int
    lease_until: datetime
    left_s: float


@dataclass(frozen=True)
class DeadLetterSummary:
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
    """Queries over all hospitals, which return ids and counts but no data of a case."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def waiting(self) -> list[WaitingJobs]:
        """Return the waiting jobs by hospital, the urgent lane first."""
        oldest_s = func.extract("epoch", NOW - func.min(JobRow.queued_at))
        query = (
            select(HospitalRow.name, JobRow.urgent, func.count(), oldest_s)
            .join(JobRow)
            .where(QUEUED)
            .group_by(HospitalRow.name, JobRow.urgent)
            .order_by(HospitalRow.name, JobRow.urgent.desc())
        )
        return [
            WaitingJobs(hospital=name, urgent=urgent, jobs=jobs, oldest_s=float(age_s))
            for name, urgent, jobs, age_s in self._session.execute(query)
        ]

    def running(self, limit: int) -> list[RunningJob]:
        """Return running jobs by the end of their leases, so that expired leases come first."""
        left_s = func.extract("epoch", JobRow.lease_until - NOW).label("left_s")
        columns = (
            JobRow.id,
            HospitalRow.name,
            JobRow.urgent,
            JobRow.worker,
            JobRow.attempts,
            JobRow.lease_until,
            left_s,
        )
        query = (
            select(*columns)
            .join(HospitalRow)
            .where(RUNNING)
            .order_by(JobRow.lease_until, JobRow.id)
            .limit(limit)
        )
        return [
            RunningJob(
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

    def count_expired(self) -> int:
        """Count the running jobs whose lease ran out and that are not back in the queue yet."""
        query = select(func.count()).where(RUNNING, IS_EXPIRED)
        return self._session.scalars(query).one()

    def dead_letter_summaries(self) -> list[DeadLetterSummary]:
        """Return the dead letters by reason, the most frequent reason first."""
        oldest = func.min(JobRow.updated_at)
        newest = func.max(JobRow.updated_at)
        query = (
            select(REASON, func.count(), oldest, newest)
            .where(FAILED)
            .group_by(REASON)
            .order_by(func.count().desc(), REASON)
        )
        return [DeadLetterSummary(*row) for row in self._session.execute(query)]

    def dead_letters(self, reason: str, limit: int) -> list[DeadLetter]:
        """Return dead letters of one reason, the latest failure first."""
        columns = (
            JobRow.id,
            HospitalRow.name,
            REASON,
            JobRow.attempts,
            JobRow.updated_at,
        )
        query = (
            select(*columns)
            .join(HospitalRow)
            .where(FAILED, literal(reason) == REASON)
            .order_by(JobRow.updated_at.desc(), JobRow.id)
            .limit(limit)
        )
        return [DeadLetter(*row) for row in self._session.execute(query)]
