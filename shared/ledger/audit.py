"""The audit trail: every change of state is recorded in the transaction that makes it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.ledger.tables import AuditRow


@dataclass(frozen=True)
class Entry:
    """One thing that happened; `details` hold hashes, digests and codes, never anything of a patient."""

    event: Event
    hospital_id: UUID | None = None
    case_id: UUID | None = None
    job_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded(Entry):
    id: int = 0
    at: datetime | None = None
    actor: str = ""


class AuditTrail:
    def __init__(self, session: Session, actor: str, hospital: UUID | None = None) -> None:
        self._session, self._actor, self._hospital = session, actor, hospital

    def record(self, event: Event, *, case: UUID | None = None, job: UUID | None = None, **details: Any) -> None:
        self.record_all([Entry(event, self._hospital, case, job, details)])

    def record_all(self, entries: Iterable[Entry]) -> None:
        rows = [{**vars(entry), "actor": self._actor} for entry in entries]
        if rows:
            self._session.execute(insert(AuditRow), rows)

    def page(self, after: int = 0, limit: int = 100) -> list[Recorded]:
        """Oldest first; a scoped trail shows its hospital's events only."""
        query = select(AuditRow).where(AuditRow.id > after).order_by(AuditRow.id).limit(limit)
        if self._hospital:
            query = query.where(AuditRow.hospital_id == self._hospital)
        names = Recorded.__dataclass_fields__
        return [Recorded(**{name: getattr(row, name) for name in names}) for row in self._session.scalars(query)]
