"""A hospital's cases as a list: asked for by state, word, outcome, number or batch, page by page."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from shared.domain.jobs import JobState, Priority
from shared.ledger.clock import database_time
from shared.ledger.jobs.backlog import REASON
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import AnySelect, CaseRow, JobRow, OutcomeRow, ResultRow

MAX_COUNTED = 10_000
"""A list longer than this is only said to be longer: counting on would cost more than the page itself."""
MIN_HEX_DIGITS = 8
"""A case's id is looked for from its first group on; fewer digits are more likely a number of the hospital's own."""
LAST_LETTER = "\U0010ffff"


class OutcomeFilter(StrEnum):
    """What is known of a case's end."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    MALIGNANT = "malignant"
    BENIGN = "benign"


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    RISK = "risk"
    """The highest first; cases without a result are left out."""


@dataclass(frozen=True)
class WorklistFilter:
    """What a list is asked for; None asks for nothing."""

    state: JobState | None = None
    decision: str | None = None
    fna: bool | None = None
    outcome: OutcomeFilter | None = None
    priority: Priority | None = None
    reason: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    id_prefix: str | None = None
    """How the hospital's own number, or the case's id, begins."""
    batch: str | None = None
    order: Order = Order.NEWEST


LINE = (
    CaseRow.id,
    JobRow.id,
    CaseRow.external_id,
    CaseRow.batch,
    JobRow.created_at,
    CaseRow.size_mm,
    JobRow.state,
    JobRow.urgent,
    JobRow.attempts,
    JobRow.reason,
    JobRow.facts,
    ResultRow.risk,
    ResultRow.decision,
    ResultRow.fna,
    ResultRow.body["warnings"],
)
"""What a line is made of, beside its outcome; a case's outline and its result's figures may be long."""
PagePosition = tuple[datetime | float, UUID]
"""Where a page ended: when its last case was accepted, or how high its risk is, and its job."""


@dataclass(frozen=True)
class WorklistEntry:
    case_id: UUID
    job_id: UUID
    external_id: str | None
    batch: str | None
    created_at: datetime
    size_mm: float
    state: JobState
    priority: Priority
    attempts: int
    reason: str | None
    facts: dict[str, Any] | None
    risk: float | None
    decision: str | None
    fna: bool | None
    warnings: tuple[str, ...]
    malignant: bool | None
    source: str | None
    determined_on: date | None
    consent: bool | None

    def position(self, order: Order) -> PagePosition:
        if order is Order.RISK and self.risk is not None:
            return self.risk, self.job_id
        return self.created_at, self.job_id


@dataclass(frozen=True)
class DeadLetterGroup:
    """How many cases failed with this reason, and the facts of one of them."""

    reason: str
    facts: dict[str, Any] | None
    cases: int


class Worklist(HospitalRepository):
    def page(self, filters: WorklistFilter, position: PagePosition | None, limit: int) -> list[WorklistEntry]:
        """The lines after that place; erased cases are left out."""
        ordered = (
            self._ordered(self._matching(filters), filters.order, position)
            .limit(limit)
            .subquery()
        )
        latest = self._latest().lateral("latest")
        query = select(*LINE, latest).join_from(
            ordered, JobRow, JobRow.id == ordered.c.id
        )
        query = query.join(CaseRow, CaseRow.id == JobRow.case_id).outerjoin(
            ResultRow, ResultRow.job_id == JobRow.id
        )
        return [
            _line(row)
            for row in self._session.execute(
                _by(query.outerjoin(latest, true()), filters.order)
            )
        ]

    def count(self, filters: WorklistFilter, max_count: int = MAX_COUNTED) -> int:
        """How many there are; `most` + 1 where there are more than `most`."""
        listed = self._matching(filters).limit(max_count + 1).subquery()
        return self._session.scalars(select(func.count()).select_from(listed)).one()

    def count_all(self, filters: WorklistFilter) -> int:
        listed = self._matching(filters).subquery()
        return self._session.scalars(select(func.count()).select_from(listed)).one()

    def dead_letter_groups(self) -> list[DeadLetterGroup]:
        """By their reasons, the most frequent first."""
        number = func.count()
        one = cast(func.max(cast(JobRow.facts, Text)), JSONB)
        query = self._restrict_to_hospital(select(REASON, one, number), JobRow)
        query = query.where(JobRow.state == JobState.FAILED).group_by(REASON)
        return [
            DeadLetterGroup(*row)
            for row in self._session.execute(query.order_by(number.desc(), REASON))
        ]

    def now(self) -> datetime:
        """By the database's clock, which dates the cases."""
        return database_time(self._session)

    def _matching(self, asked: WorklistFilter) -> AnySelect:
        """Ids of the jobs asked for."""
        query = self._restrict_to_hospital(select(JobRow.id), JobRow).join(
            CaseRow, CaseRow.id == JobRow.case_id
        )
        query = query.where(
            CaseRow.hospital_id == JobRow.hospital_id, CaseRow.erased_at.is_(None)
        )
        if (
            asked.decision is not None
            or asked.fna is not None
            or asked.order is Order.RISK
        ):
            query = self._restrict_to_hospital(
                query.join(ResultRow, ResultRow.job_id == JobRow.id), ResultRow
            )
            query = (
                query.where(ResultRow.risk.is_not(None))
                if asked.order is Order.RISK
                else query
            )
        return query.where(*_of_job(asked), *_of_case(asked), *_of_result(asked))

    def _ordered(
        self, query: AnySelect, order: Order, after: PagePosition | None
    ) -> AnySelect:
        key = tuple_(*_keys(order))
        if after:
            seen = tuple_(*map(literal, after))
            query = query.where(key > seen if order is Order.OLDEST else key < seen)
        return _by(query, order)

    def _latest(self) -> AnySelect:
        told = (
            OutcomeRow.malignant,
            OutcomeRow.source,
            OutcomeRow.determined_on,
            OutcomeRow.consent,
        )
        query = self._restrict_to_hospital(select(*told), OutcomeRow).where(
            OutcomeRow.case_id == CaseRow.id
        )
        return query.order_by(OutcomeRow.id.desc()).limit(1).correlate(CaseRow)


def _keys(order: Order) -> tuple[Any, Any]:
    return (
        (ResultRow.risk, ResultRow.job_id)
        if order is Order.RISK
        else (JobRow.created_at, JobRow.id)
    )


def _by(query: AnySelect, order: Order) -> AnySelect:
    keys = _keys(order)
    return query.order_by(
        *(key if order is Order.OLDEST else key.desc() for key in keys)
    )


def _of_job(asked: WorklistFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.state is not None:
        conditions.append(JobRow.state == asked.state)
    if asked.reason is not None:
        conditions.append(JobRow.reason == asked.reason)
    if asked.priority is not None:
        conditions.append(JobRow.urgent.is_(asked.priority is Priority.URGENT))
    if asked.created_from is not None:
        conditions.append(JobRow.created_at >= asked.created_from)
    if asked.created_until is not None:
        conditions.append(JobRow.created_at <= asked.created_until)
    return conditions


def _of_case(asked: WorklistFilter) -> list[ColumnElement[bool]]:
    batch = [CaseRow.batch == asked.batch] if asked.batch is not None else []
    begins = [_begins(asked.id_prefix)] if asked.id_prefix else []
    return [*batch, *begins, *([_ended(asked.outcome)] if asked.outcome else [])]


def _of_result(asked: WorklistFilter) -> list[ColumnElement[bool]]:
    decision = (
        [ResultRow.decision == asked.decision] if asked.decision is not None else []
    )
    return [*decision, *([ResultRow.fna == asked.fna] if asked.fna is not None else [])]


def _begins(word: str) -> ColumnElement[bool]:
    """By ranges, for under row-level security an index is used by leakproof operators only, and LIKE is none."""
    number = CaseRow.external_id
    numbered = and_(
        number.bool_op("~>=~")(word), number.bool_op("~<~")(word + LAST_LETTER)
    )
    digits = word.replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_HEX_DIGITS},32}}", digits):
        return numbered
    return or_(
        numbered,
        CaseRow.id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))),
    )


def _ended(outcome: OutcomeFilter) -> ColumnElement[bool]:
    own = (
        OutcomeRow.case_id == CaseRow.id,
        OutcomeRow.hospital_id == CaseRow.hospital_id,
    )
    said = select(OutcomeRow.id).where(*own)
    if outcome in (OutcomeFilter.KNOWN, OutcomeFilter.UNKNOWN):
        return said.exists() if outcome is OutcomeFilter.KNOWN else ~said.exists()
    later = aliased(OutcomeRow)
    last = (
        ~select(later.id)
        .where(later.case_id == OutcomeRow.case_id, later.id > OutcomeRow.id)
        .exists()
    )
    return said.where(
        OutcomeRow.malignant.is_(outcome is OutcomeFilter.MALIGNANT), last
    ).exists()


def _line(row: Any) -> WorklistEntry:
    (
        case_id,
        job_id,
        number,
        batch,
        at,
        size_mm,
        state,
        urgent,
        attempts,
        reason,
        facts,
        *told,
    ) = row
    risk, decision, fna, warnings, *outcome = told
    priority = Priority.URGENT if urgent else Priority.ROUTINE
    work = JobState(state), priority, attempts, reason, facts
    codes = tuple(warning["code"] for warning in warnings or ())
    return WorklistEntry(
        case_id,
        job_id,
        number,
        batch,
        at,
        size_mm,
        *work,
        risk,
        decision,
        fna,
        codes,
        *outcome,
    )
