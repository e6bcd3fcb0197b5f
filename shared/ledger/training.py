"""Training runs: requested by an operator, claimed by a trainer under a lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.domain.training import RunState
from shared.ledger.audit import AuditTrail
from shared.ledger.tables import TrainingRunRow

NOW = func.clock_timestamp()


@dataclass(frozen=True)
class TrainingRun:
    id: UUID
    dataset_id: UUID
    recipe: str
    seed: int
    state: RunState
    attempts: int
    stage: str | None
    fraction: float
    metrics: dict[str, Any] | None
    model_digest: str | None
    reason: str | None
    message: str | None
    lease_token: UUID | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class TrainingRuns:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def request(self, dataset: UUID, recipe: str, seed: int) -> UUID:
        row = TrainingRunRow(dataset_id=dataset, recipe=recipe, seed=seed)
        self._session.add(row)
        self._session.flush()
        self._audit.record(Event.RUN_REQUESTED, run=str(row.id), recipe=recipe)
        return row.id

    def find(self, run_id: UUID) -> TrainingRun | None:
        row = self._session.get(TrainingRunRow, run_id)
        return row and _run(row)

    def claim(self, lease: timedelta) -> TrainingRun | None:
        """Lease the oldest run that waits or whose trainer was lost; never waits for a lock."""
        lost = (TrainingRunRow.state == RunState.RUNNING) & (TrainingRunRow.lease_until < NOW)
        waits = or_(TrainingRunRow.state == RunState.QUEUED, lost)
        oldest = select(TrainingRunRow).where(waits).order_by(TrainingRunRow.created_at).limit(1)
        row = self._session.scalar(oldest.with_for_update(skip_locked=True))
        if row is None:
            return None
        row.state, row.lease_token, row.attempts = RunState.RUNNING, uuid4(), row.attempts + 1
        row.lease_until, row.started_at = NOW + lease, NOW
        self._session.flush()
        self._session.refresh(row)
        self._audit.record(Event.RUN_STARTED, run=str(row.id), attempt=row.attempts)
        return _run(row)

    def progress(self, token: UUID, lease: timedelta, stage: str, fraction: float, message: str) -> bool:
        """Report progress and hold the lease longer; False if it was lost meanwhile."""
        values = {"stage": stage, "fraction": fraction, "message": message, "lease_until": NOW + lease}
        return self._update(token, **values) is not None

    def renew(self, tokens: Sequence[UUID], lease: timedelta) -> None:
        """Hold runs longer, while their trainer lives."""
        held = (TrainingRunRow.lease_token.in_(tokens), TrainingRunRow.state == RunState.RUNNING)
        self._session.execute(update(TrainingRunRow).where(*held).values(lease_until=NOW + lease))

    def finish(self, token: UUID, digest: str, metrics: dict[str, Any]) -> bool:
        values = {"state": RunState.DONE, "fraction": 1.0, "metrics": metrics, "model_digest": digest, "ended_at": NOW}
        run = self._update(token, **values, stage="done", message=None)
        if run:
            self._audit.record(Event.RUN_DONE, run=str(run), model=digest)
        return run is not None

    def fail(self, token: UUID, reason: str, message: str) -> None:
        run = self._update(token, state=RunState.FAILED, reason=reason, message=message, ended_at=NOW)
        if run:
            self._audit.record(Event.RUN_FAILED, run=str(run), reason=reason)

    def _update(self, token: UUID, **values: Any) -> UUID | None:
        held = (TrainingRunRow.lease_token == token, TrainingRunRow.state == RunState.RUNNING)
        return self._session.scalar(update(TrainingRunRow).where(*held).values(**values).returning(TrainingRunRow.id))


def _run(row: TrainingRunRow) -> TrainingRun:
    values = {name: getattr(row, name) for name in TrainingRun.__dataclass_fields__}
    return TrainingRun(**{**values, "state": RunState(row.state)})
