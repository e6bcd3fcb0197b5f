"""Queries for the metrics of the whole system: counts and ages, no data of a case.

Each query uses an index, or reads a table that stays small, and has a timeout.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.ledger.clock import database_time
from shared.ledger.jobs.backlog import QUEUED
from shared.ledger.tables import AuditRow, JobRow, ModelRow, SealRow, TrainingRunRow

RECENT = timedelta(hours=1)
SUBMITTED = text(
    """
    SELECT j.state, j.reason, count(*)
    FROM hospitals h
    CROSS JOIN LATERAL (
        SELECT state, reason FROM jobs
        WHERE hospital_id = h.id AND created_at > clock_timestamp() - :recent) j
    GROUP BY j.state, j.reason
    """
)
UNSEALED = text(
    """
    SELECT count(*), extract(epoch FROM clock_timestamp() - min(e.at))
    FROM (SELECT id::text AS chain FROM hospitals UNION ALL SELECT 'house') c
    LEFT JOIN LATERAL (
        SELECT number FROM audit_checkpoints
        WHERE chain = c.chain ORDER BY seal DESC LIMIT 1) s ON true
    JOIN audit_events e ON e.chain = c.chain AND e.number = coalesce(s.number, 0) + 1
    """
)
"""Selects the first event after the latest seal of each chain."""


@dataclass(frozen=True)
class SubmittedJobs:
    """The number of jobs of one state and, for failed ones, of one reason."""

    state: str
    reason: str | None
    jobs: int


@dataclass(frozen=True)
class AuditAge:
    """Ages in seconds of the latest event, the latest seal and the oldest unsealed event.

    An age is None if there is no event, or no seal.
    """

    head_s: float | None
    seal_s: float | None
    unsealed_s: float
    unsealed_chains: int


class MetricsQueries:
    def __init__(self, session: Session) -> None:
        self._session = session

    def set_timeout(self, seconds: float) -> None:
        """Let a query of this transaction that takes longer fail with Unavailable."""
        timeout = f"{int(seconds * 1000)}ms"
        self._session.execute(
            select(func.set_config("statement_timeout", timeout, True))
        )

    def submitted(self) -> list[SubmittedJobs]:
        """Jobs that were submitted within the last hour."""
        rows = self._session.execute(SUBMITTED, {"recent": RECENT})
        return [SubmittedJobs(*row) for row in rows]

    def count_retried(self) -> int:
        """Count the queued jobs whose worker was lost."""
        query = select(func.count()).where(QUEUED, JobRow.attempts > 0)
        return self._session.scalars(query).one()

    def runs(self) -> dict[str, int]:
        """Count the training runs by state."""
        query = select(TrainingRunRow.state, func.count()).group_by(
            TrainingRunRow.state
        )
        return dict(self._session.execute(query).all())

    def models(self) -> dict[str, str]:
        """Return the name and version of each model, by its digest."""
        query = select(ModelRow.digest, ModelRow.name, ModelRow.version)
        return {
            digest: f"{name}/{version}"
            for digest, name, version in self._session.execute(query)
        }

    def audit(self) -> AuditAge:
        unsealed_chains, unsealed_s = self._session.execute(UNSEALED).one()
        return AuditAge(
            head_s=self._newest_age_s(AuditRow),
            seal_s=self._newest_age_s(SealRow),
            unsealed_s=float(unsealed_s or 0.0),
            unsealed_chains=unsealed_chains,
        )

    def _newest_age_s(self, table: type[AuditRow] | type[SealRow]) -> float | None:
        query = select(table.at).order_by(table.id.desc()).limit(1)
        at = self._session.scalar(query)
        if at is None:
            return None
        age = database_time(self._session) - at
        return max(age.total_seconds(), 0.0)
