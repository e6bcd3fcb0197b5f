"""What each worker serves, and what it refused to serve."""

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
"""Workers say every few seconds that they are there; one that was silent for longer is taken to be gone."""


@dataclass(frozen=True)
class Refusal:
    """A bundle a worker will not serve, and why."""

    digest: str
    reason: Message


@dataclass(frozen=True)
class Worker:
    """A worker as it last told of itself; `model_digest` None where it serves nothing.

    `device` is what it computes on; None where it did not say. `claimed_at` is None until it first claims cases.
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
        """Note that a worker is there and what it serves; a swap is audited once.

        `since_claim` is how long ago it claimed cases; left out, what it said before stands. What it refused is
        forgotten once it serves it after all, or once another model is live.
        """
        row = self._row(worker)
        row.seen_at = NOW
        row.device = device
        if since_claim is not None:
            row.claimed_at = NOW - since_claim
        if row.refused_digest and (
            row.refused_digest == digest
            or row.refused_digest != live_digest(self._session)
        ):
            row.refused_digest = row.refused_code = row.refused_facts = None
        if row.model_digest == digest:
            return
        before = row.model_digest
        row.model_digest = digest
        row.since = NOW
        if digest:
            self._audit.record(
                Event.MODEL_SWAPPED, worker=worker, model=digest, before=before
            )

    def report_refusal(self, worker: str, digest: str, reason: Message) -> None:
        """Note that a worker will not serve a bundle; the same refusal is audited once."""
        row = self._row(worker)
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
        """Workers that told of themselves lately, by name."""
        query = (
            select(ServingRow)
            .where(ServingRow.seen_at > NOW - timeout)
            .order_by(ServingRow.worker)
        )
        return [_worker(row) for row in self._session.scalars(query)]

    def _row(self, worker: str) -> ServingRow:
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
        row.worker,
        row.model_digest,
        row.since,
        refusal,
        row.seen_at,
        row.device,
        row.claimed_at,
    )
