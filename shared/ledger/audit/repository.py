"""The audit trail: every change of state is recorded in the transaction that makes it.

The database chains the events: under the lock of its chain, an event gets its number, time and
hash. So events are written last in a transaction, chain after chain in a fixed order. Then no
transaction waits for a chain while it holds a lock that the owner of the chain needs.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    Select,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from shared.domain.audit.chain import Link, chain_name, format_time
from shared.domain.audit.events import Event
from shared.ledger.db_role import DatabaseRole
from shared.ledger.tables import AnyRow, AuditRow, SealRow

ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
"""The address from which the current request came; None in services without HTTP requests."""

LINK_NAMES = ("number", "actor", "origin", "event", "details", "previous", "hash")
"""The columns that an event and its link have in common."""
LINK_COLUMNS = (
    AuditRow.number,
    AuditRow.at,
    AuditRow.actor,
    AuditRow.origin,
    AuditRow.event,
    AuditRow.case_id,
    AuditRow.job_id,
    AuditRow.previous,
    AuditRow.hash,
    AuditRow.hospital_id,
    AuditRow.chain,
    cast(AuditRow.details, Text).label("details"),
)


Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
LinkPosition = tuple[str, int]
"""A chain, and the number of an event in it."""


@dataclass(frozen=True)
class AuditEntry:
    """An event to record. `details` hold hashes, digests and codes, but no data of a patient."""

    event: Event
    hospital_id: UUID | None = None
    case_id: UUID | None = None
    job_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RecordedEvent(AuditEntry):
    id: int = 0
    at: datetime
    actor: str = ""
    origin: str | None = None
    number: int = 0
    hash: str = ""


@dataclass(frozen=True)
class EventFilter:
    """Selects events; None selects all. `start` is inclusive, `end` is not."""

    hospital_id: UUID | None = None
    event: str | None = None
    actor: str | None = None
    case_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None

    def apply(self, query: Query) -> Query:
        """The query, restricted to these events."""
        if self.hospital_id is not None:
            query = query.where(AuditRow.hospital_id == self.hospital_id)
        if self.event is not None:
            query = query.where(AuditRow.event == self.event)
        if self.actor is not None:
            query = query.where(AuditRow.actor == self.actor)
        if self.case_id is not None:
            query = query.where(AuditRow.case_id == self.case_id)
        if self.start is not None:
            query = query.where(AuditRow.at >= self.start)
        if self.end is not None:
            query = query.where(AuditRow.at < self.end)
        return query


ALL_EVENTS = EventFilter()


class AuditTrail:
    """Records events of one actor, and reads the events of one hospital, or of all."""

    def __init__(
        self, session: Session, actor: str, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._actor = actor
        self._hospital = hospital
        self._pending_entries: list[AuditEntry] = []

    def record(
        self,
        event: Event,
        *,
        case: UUID | None = None,
        job: UUID | None = None,
        **details: object,
    ) -> None:
        entry = AuditEntry(
            event=event,
            hospital_id=self._hospital,
            case_id=case,
            job_id=job,
            details=details,
        )
        self.record_all([entry])

    def record_all(self, entries: Iterable[AuditEntry]) -> None:
        self._pending_entries.extend(entries)

    def record_reads(
        self, event: Event, subjects: Sequence[tuple[UUID, UUID | None]]
    ) -> None:
        """Record that this actor read data of these (case, job), each only the first time."""
        cases = [case for case, _ in subjects]
        query = select(AuditRow.case_id, AuditRow.job_id).where(
            AuditRow.event == event,
            AuditRow.actor == self._actor,
            AuditRow.case_id.in_(cases),
        )
        recorded = {tuple(row) for row in self._session.execute(query)}
        for case, job in subjects:
            if (case, job) not in recorded:
                self.record(event, case=case, job=job)

    @property
    def pending(self) -> bool:
        """Whether there are recorded events that are not written yet."""
        return bool(self._pending_entries)

    @property
    def role(self) -> DatabaseRole:
        """The role under which the events may be written."""
        return DatabaseRole(self._hospital)

    def write(self) -> None:
        """Write the recorded events, at the end of the transaction."""
        write_all(self._session, [self])

    def pop_pending(self) -> list[dict[str, Any]]:
        """Take the recorded events that are not written yet, as rows."""
        entries = self._pending_entries
        self._pending_entries = []
        origin = ORIGIN.get()
        return [
            {**vars(entry), "actor": self._actor, "origin": origin} for entry in entries
        ]

    def page(
        self, last_id: int = 0, limit: int = 100, filters: EventFilter = ALL_EVENTS
    ) -> list[RecordedEvent]:
        """The events after the event of this id, oldest first.

        A hospital's trail has only events of that hospital.
        """
        query = select(AuditRow).where(AuditRow.id > last_id).order_by(AuditRow.id)
        return self._read(filters.apply(query), limit)

    def newest(
        self,
        first_id: int | None = None,
        limit: int = 100,
        filters: EventFilter = ALL_EVENTS,
    ) -> list[RecordedEvent]:
        """The events before the event of this id, newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc())
        if first_id is not None:
            query = query.where(AuditRow.id < first_id)
        return self._read(filters.apply(query), limit)

    def next_chain(self, last_chain: str = "") -> str | None:
        """The next chain in the database's order. It may have seals only."""
        first_of_table = []
        for table in (AuditRow, SealRow):
            query = select(func.min(table.chain)).where(table.chain > last_chain)
            first_of_table.append(self._restrict_to_chain(query, table))
        chains = union_all(*first_of_table).subquery()
        chain: str | None = self._session.scalar(select(func.min(chains.c[0])))
        return chain

    def stretch(self, chain: str, last_number: int, limit: int) -> list[Link]:
        """A chain's events after the event of this number."""
        self.write()
        query = (
            select(*LINK_COLUMNS)
            .where(AuditRow.chain == chain, AuditRow.number > last_number)
            .order_by(AuditRow.number)
            .limit(limit)
        )
        rows = self._session.execute(self._restrict_to_chain(query, AuditRow))
        return [_link(row) for row in rows]

    def links(
        self, position: LinkPosition | None = None, limit: int = 1000
    ) -> list[tuple[LinkPosition, Link]]:
        """The events after this position, each with its own position.

        They come chain after chain, each chain from its beginning.
        """
        self.write()
        key = tuple_(AuditRow.chain, AuditRow.number)
        query = select(*LINK_COLUMNS).order_by(*key.clauses).limit(limit)
        query = self._restrict_to_chain(query, AuditRow)
        if position:
            query = query.where(key > tuple_(*map(literal, position)))
        rows = self._session.execute(query)
        return [((row.chain, row.number), _link(row)) for row in rows]

    def _read(self, query: Select[AuditRow], limit: int) -> list[RecordedEvent]:
        self.write()
        rows = self._session.scalars(self._restrict_to_hospital(query).limit(limit))
        return [_recorded_event(row) for row in rows]

    def _restrict_to_chain(
        self, query: Query, table: type[AuditRow] | type[SealRow]
    ) -> Query:
        if self._hospital is None:
            return query
        return query.where(table.chain == chain_name(self._hospital))

    def _restrict_to_hospital(self, query: Query) -> Query:
        if self._hospital is None:
            return query
        return query.where(AuditRow.hospital_id == self._hospital)


def write_all(session: Session, trails: Iterable[AuditTrail]) -> None:
    """Write the pending events of these trails, chain after chain."""
    rows = [row for trail in trails for row in trail.pop_pending()]
    rows.sort(key=lambda row: chain_name(row["hospital_id"]))
    if rows:
        session.execute(insert(AuditRow), rows)


def _recorded_event(row: AuditRow) -> RecordedEvent:
    values = {
        column.name: getattr(row, column.name) for column in fields(RecordedEvent)
    }
    return RecordedEvent(**values)


def _link(row: AnyRow) -> Link:
    """The chain follows from the hospital, so that an event moved to another hospital is found."""
    values = {name: getattr(row, name) for name in LINK_NAMES}
    return Link(
        chain=chain_name(row.hospital_id),
        at=format_time(row.at),
        case=str(row.case_id) if row.case_id else None,
        job=str(row.job_id) if row.job_id else None,
        **values,
    )
