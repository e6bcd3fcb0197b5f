"""What the gateway tells Prometheus of the whole house: counts and ages, nothing of a case.

Each question is answered from an index, or from a table that stays small, and is given up after a time.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.ledger.clock import database_time
from shared.ledger.jobs.backlog import QUEUED
from shared.ledger.tables import AuditRow, JobRow, ModelRow, SealRow, TrainingRunRow

RECENT = timedelta(hours=1)
SENT = text(
    """
    SELECT j.state, j.reason, count(*)
    FROM hospitals h
    CROSS JOIN LATERAL (
        SELECT state, reason FROM jobs WHERE hospital_id = h.id AND created_at > clock_timestamp() - :recent) j
    GROUP BY j.state, j.reason
    """
)
UNSEALED = text(
    """
    SELECT count(*), extract(epoch FROM clock_timestamp() - min(e.at))
    FROM (SELECT id::text AS chain FROM hospitals UNION ALL SELECT 'house') c
    LEFT JOIN LATERAL (
        SELECT number FROM audit_checkpoints WHERE chain = c.chain ORDER BY seal DESC LIMIT 1) s ON true
    JOIN audit_events e ON e.chain = c.chain AND e.number = coalesce(s.number, 0) + 1
    """
)
"""Of each chain the first event after its last seal."""


@dataclass(frozen=True)
class SubmittedJobs:
    """Jobs of one state and, where they failed, of one reason."""

    state: str
    reason: str | None
    jobs: int


@dataclass(frozen=True)
class AuditAge:
    """Seconds since the newest event and the newest seal (None: there is none), and of the oldest event unsealed."""

    head_s: float | None
    seal_s: float | None
    unsealed_s: float
    unsealed_chains: int


class MetricsQueries:
    def __init__(self, session: Session) -> None:
        self._session = session

    def set_timeout(self, seconds: float) -> None:
        """Give up a question of this transaction that takes longer (Unavailable)."""
        self._session.execute(
            select(
                func.set_config("statement_timeout", f"{int(seconds * 1000)}ms", True)
            )
        )

    def submitted(self) -> list[SubmittedJobs]:
        """Jobs that came within the last hour."""
        return [SubmittedJobs(*row) for row in self._session.execute(SENT, {"recent": RECENT})]

    def count_retried(self) -> int:
        """Waiting jobs that outlived a worker."""
        return self._session.scalars(
            select(func.count()).where(QUEUED, JobRow.attempts > 0)
        ).one()

    def runs(self) -> dict[str, int]:
        """Training runs by state."""
        query = select(TrainingRunRow.state, func.count()).group_by(
            TrainingRunRow.state
        )
        return dict(self._session.execute(query).all())

    def models(self) -> dict[str, str]:
        """Name and version of each model by its digest."""
        query = select(ModelRow.digest, ModelRow.name, ModelRow.version)
        return {
            digest: f"{name}/{version}"
            for digest, name, version in self._session.execute(query)
        }

    def audit(self) -> AuditAge:
        chains, unsealed_s = self._session.execute(UNSEALED).one()
        return AuditAge(
            self._age_s(AuditRow),
            self._age_s(SealRow),
            float(unsealed_s or 0.0),
            chains,
        )

    def _age_s(self, table: type[AuditRow] | type[SealRow]) -> float | None:
        """Of its newest row."""
        at = self._session.scalar(select(table.at).order_by(table.id.desc()).limit(1))
        now = database_time(self._session)
        return None if at is None else max((now - at).total_seconds(), 0.0)
