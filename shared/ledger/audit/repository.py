"""The audit trail: every change of state is recorded in the transaction that makes it.

The database chains the events: under the lock of its chain an event gets its number, time and hash. So they are written
last in a transaction, chain after chain in one order, and no transaction waits for another's chain while it holds a
lock that the other wants.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    Row,
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
from shared.ledger.tables import AuditRow, SealRow

ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
"""From where the request came that is being answered; None in services that answer none."""

NAMES = (
    "number",
    "at",
    "actor",
    "origin",
    "event",
    "case_id",
    "job_id",
    "previous",
    "hash",
    "hospital_id",
    "chain",
)
COLUMNS = [getattr(AuditRow, name) for name in NAMES]


Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class AuditEntry:
    """One thing that happened; `details` hold hashes, digests and codes, never anything of a patient."""

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
    """Which events are looked for; None: all."""

    hospital_id: UUID | None = None
    event: str | None = None
    actor: str | None = None
    case_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None

    def apply(self, query: Query) -> Query:
        """The query, restricted to these events."""
        equal = {
            name: getattr(self, name)
            for name in ("hospital_id", "event", "actor", "case_id")
        }
        for name, value in equal.items():
            if value is not None:
                query = query.where(getattr(AuditRow, name) == value)
        if self.start is not None:
            query = query.where(AuditRow.at >= self.start)
        if self.end is not None:
            query = query.where(AuditRow.at < self.end)
        return query


ALL_EVENTS = EventFilter()


class AuditTrail:
    def __init__(
        self, session: Session, actor: str, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._actor = actor
        self._hospital = hospital
        self._told: list[AuditEntry] = []

    def record(
        self,
        event: Event,
        *,
        case: UUID | None = None,
        job: UUID | None = None,
        **details: Any,
    ) -> None:
        self.record_all([AuditEntry(event, self._hospital, case, job, details)])

    def record_all(self, entries: Iterable[AuditEntry]) -> None:
        self._told.extend(entries)

    def record_reads(
        self, event: Event, subjects: Sequence[tuple[UUID, UUID | None]]
    ) -> None:
        """Note that this actor saw something of these (case, job), each the first time only."""
        mine = select(AuditRow.case_id, AuditRow.job_id).where(
            AuditRow.event == event, AuditRow.actor == self._actor
        )
        known = self._session.execute(
            mine.where(AuditRow.case_id.in_([case for case, _ in subjects]))
        )
        seen = {tuple(row) for row in known}
        self.record_all(
            AuditEntry(event, self._hospital, *subject)
            for subject in subjects
            if subject not in seen
        )

    @property
    def pending(self) -> bool:
        """Whether something was recorded that is not written yet."""
        return bool(self._told)

    @property
    def role(self) -> DatabaseRole:
        """Under which its events may be written."""
        return DatabaseRole(self._hospital)

    def write(self) -> None:
        """Write what was told, at the end of the transaction."""
        write_all(self._session, [self])

    def pop_pending(self) -> list[dict[str, Any]]:
        """What was recorded and is not written yet, as rows."""
        told = self._told
        self._told = []
        return [
            {**vars(entry), "actor": self._actor, "origin": ORIGIN.get()}
            for entry in told
        ]

    def page(
        self, last_id: int = 0, limit: int = 100, filters: EventFilter = ALL_EVENTS
    ) -> list[RecordedEvent]:
        """Oldest first; a scoped trail shows its hospital's events only."""
        return self._read(
            filters.apply(
                select(AuditRow).where(AuditRow.id > last_id).order_by(AuditRow.id)
            ),
            limit,
        )

    def newest(
        self, first_id: int | None = None, limit: int = 100, filters: EventFilter = ALL_EVENTS
    ) -> list[RecordedEvent]:
        """Newest first, from before the event of this id."""
        query = select(AuditRow).order_by(AuditRow.id.desc())
        return self._read(
            filters.apply(
                query if first_id is None else query.where(AuditRow.id < first_id)
            ),
            limit,
        )

    def next_chain(self, after: str = "") -> str | None:
        """The chain that follows in the database's order, be it that only seals of it are left."""
        first = [
            self._of_chain(
                select(func.min(table.chain)).where(table.chain > after), table
            )
            for table in (AuditRow, SealRow)
        ]
        found = union_all(*first).subquery()
        chain: str | None = self._session.scalar(select(func.min(found.c[0])))
        return chain

    def stretch(self, chain: str, after: int, limit: int) -> list[Link]:
        """A chain's events that follow the one of this number."""
        self.write()
        query = (
            select(*COLUMNS, cast(AuditRow.details, Text).label("details"))
            .order_by(AuditRow.number)
            .limit(limit)
        )
        query = query.where(AuditRow.chain == chain, AuditRow.number > after)
        return [
            _link(row) for row in self._session.execute(self._of_chain(query, AuditRow))
        ]

    def links(
        self, after: tuple[str, int] | None = None, limit: int = 1000
    ) -> list[tuple[tuple[str, int], Link]]:
        """Chain after chain, each from its beginning; with each the place to go on from."""
        self.write()
        place = tuple_(AuditRow.chain, AuditRow.number)
        query = (
            select(*COLUMNS, cast(AuditRow.details, Text).label("details"))
            .order_by(*place.clauses)
            .limit(limit)
        )
        query = self._of_chain(query, AuditRow)
        if after:
            query = query.where(place > tuple_(*map(literal, after)))
        return [
            ((row.chain, row.number), _link(row))
            for row in self._session.execute(query)
        ]

    def _read(self, query: Select[AuditRow], limit: int) -> list[RecordedEvent]:
        self.write()
        names = RecordedEvent.__dataclass_fields__
        rows = self._session.scalars(self._mine(query).limit(limit))
        return [
            RecordedEvent(**{name: getattr(row, name) for name in names}) for row in rows
        ]

    def _of_chain(self, query: Query, table: type[AuditRow] | type[SealRow]) -> Query:
        if self._hospital is None:
            return query
        return query.where(table.chain == chain_name(self._hospital))

    def _mine(self, query: Query) -> Query:
        if self._hospital is None:
            return query
        return query.where(AuditRow.hospital_id == self._hospital)


def write_all(session: Session, trails: Iterable[AuditTrail]) -> None:
    """Write what these trails were told, chain after chain."""
    rows = [row for trail in trails for row in trail.pop_pending()]
    if rows:
        session.execute(
            insert(AuditRow), sorted(rows, key=lambda row: chain_name(row["hospital_id"]))
        )


def _link(row: Row[*tuple[Any, ...]]) -> Link:
    """The chain is told by the hospital, so that an event moved to another hospital is found."""
    return Link(
        chain=chain_name(row.hospital_id),
        at=format_time(row.at),
        case=row.case_id and str(row.case_id),
        job=row.job_id and str(row.job_id),
        **{
            name: getattr(row, name)
            for name in (
                "number",
                "actor",
                "origin",
                "event",
                "details",
                "previous",
                "hash",
            )
        },
    )
