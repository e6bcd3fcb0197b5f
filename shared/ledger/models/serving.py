"""The model that each worker serves, and the models that it refused to serve."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message, to_json
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.models.promotions import live_digest
from shared.ledger.tables import ServingRow

NOW = func.clock_timestamp()
WORKER_TIMEOUT = timedelta(seconds=15)
"""Workers report every few seconds. A worker that was silent for longer counts as gone."""


@dataclass(frozen=True)
class Refusal:
    """A bundle that a worker refuses to serve, and the reason."""

    digest: str
    reason: Message


@dataclass(frozen=True)
class Worker:
    """A worker's latest report. `model_digest` is None if it serves no model.

    `device` is its compute device; None if it did not report one. `claimed_at` is None until it
    first claims cases.
    """

    name: str
    model_digest: str | None
    serving_since: datetime | None
    refusal: Refusal | None
    seen_at: datetime
    device: str | None
    claimed_at: datetime | None


class Serving:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def report(
        self,
        worker: str,
        digest: str | None,
        device: str | None = None,
        since_claim: timedelta | None = None,
    ) -> None:
        """Store that a worker is present, and the model that it serves; each swap is audited once.

        `since_claim` is the time since the worker last claimed cases; None keeps the last reported
        time. A refusal is dropped when the worker serves the refused model, or another model is
        live.
        """
        row = self._lock_row(worker)
        row.seen_at = NOW
        row.device = device
        if since_claim is not None:
            row.claimed_at = NOW - since_claim
        if row.refused_digest and self._is_refusal_over(row.refused_digest, digest):
            row.refused_digest = None
            row.refused_code = None
            row.refused_facts = None
        if row.model_digest == digest:
            return
        previous_digest = row.model_digest
        row.model_digest = digest
        row.since = NOW
        if digest:
            self._audit.record(
                Event.MODEL_SWAPPED,
                worker=worker,
                model=digest,
                before=previous_digest,
            )

    def report_refusal(self, worker: str, digest: str, reason: Message) -> None:
        """Store that a worker refuses to serve a bundle; the same refusal is audited once."""
        row = self._lock_row(worker)
        row.seen_at = NOW
        if (row.refused_digest, row.refused_code) == (digest, reason.code):
            return
        row.refused_digest = digest
        row.refused_code = reason.code
        row.refused_facts = to_json(reason.facts)
        self._audit.record(
            Event.MODEL_REFUSED, worker=worker, model=digest, code=reason.code
        )

    def present_workers(self, timeout: timedelta = WORKER_TIMEOUT) -> list[Worker]:
        """Workers that reported within the timeout, by name."""
        query = (
            select(ServingRow)
            .where(ServingRow.seen_at > NOW - timeout)
            .order_by(ServingRow.worker)
        )
        return [_worker(row) for row in self._session.scalars(query)]

    def _is_refusal_over(self, refused_digest: str, served_digest: str | None) -> bool:
        if refused_digest == served_digest:
            return True
        return refused_digest != live_digest(self._session)

    def _lock_row(self, worker: str) -> ServingRow:
        row = self._session.get(ServingRow, worker, with_for_update=True)
        if row is None:
            row = ServingRow(worker=worker)
            self._session.add(row)
        return row


def _worker(row: ServingRow) -> Worker:
    refusal = None
    if row.refused_digest and row.refused_code:
        reason = Message(row.refused_code, row.refused_facts or {})
        refusal = Refusal(digest=row.refused_digest, reason=reason)
    return Worker(
        name=row.worker,
        model_digest=row.model_digest,
        serving_since=row.since,
        refusal=refusal,
        seen_at=row.seen_at,
        device=row.device,
        claimed_at=row.claimed_at,
    )
