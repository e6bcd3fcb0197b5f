"""A hospital's cases as a list: filtered, ordered, page by page."""

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

from shared.domain.jobs import JobState, Priority, Reason
from shared.domain.results.fna import FnaOutcome
from shared.domain.results.prediction import Verdict
from shared.domain.results.statement import (
    CutoffSide,
    Statement,
    StatementFacts,
    make_statement,
)
from shared.ledger.audit.evidence import is_genuine
from shared.ledger.cases.reader_levels import is_withheld
from shared.ledger.clock import database_time
from shared.ledger.jobs.backlog import REASON
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    AnyRow,
    AnySelect,
    CaseRow,
    JobRow,
    OutcomeRow,
    PersonRow,
    ReaderLevelRow,
    ResultRow,
)

MAX_COUNTED = 10_000
"""A longer list is not counted to its end, because counting would take longer than reading the
page.
"""
MIN_HEX_DIGITS = 8
"""A search for a case by its id needs the first 8 digits of the id.

Fewer digits are more likely the beginning of one of the hospital's own numbers.
"""
LAST_LETTER = "\U0010ffff"


class OutcomeFilter(StrEnum):
    """Which outcome a case must have."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    MALIGNANT = "malignant"
    BENIGN = "benign"


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    RISK = "risk"
    """The highest risk first. Cases without a result are left out."""


@dataclass(frozen=True)
class WorklistFilter:
    """Filters and order of a list; a filter of None selects all."""

    state: JobState | None = None
    decision: str | None = None
    fna: bool | None = None
    outcome: OutcomeFilter | None = None
    priority: Priority | None = None
    reason: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    id_prefix: str | None = None
    """The beginning of the hospital's own number, or of the case's id."""
    batch: str | None = None
    order: Order = Order.NEWEST
    person: UUID | None = None
    """Who reads the list, from whom answers may be withheld; None for an API key."""


ENTRY_COLUMNS = (
    CaseRow.id.label("case_id"),
    JobRow.id.label("job_id"),
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
    ResultRow.body["risk_interval"].label("risk_interval"),
    ResultRow.decision,
    ResultRow.fna,
    ResultRow.body["fna"]["level"].astext.label("level"),
    ResultRow.body["fna"]["outcome"].astext.label("fna_outcome"),
    ResultRow.body["warnings"].label("warnings"),
    is_genuine().label("is_genuine"),
)
"""The columns of an entry, without its outcome. A case's outline and its result's figures may be
long, so they are not read."""
PagePosition = tuple[datetime | float, UUID]
"""The end of a page: the creation time or the risk of its last case, and its job's id."""


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
    decision: str | None
    statement: Statement | None
    """What the result says; None without a result."""
    warnings: tuple[str, ...]
    malignant: bool | None
    source: str | None
    determined_on: date | None
    consent: bool | None
    is_withheld: bool
    """Whether there is a result that is withheld from the reader until their own level is stored."""
    reader_level: str | None
    """The first level that a person entered before SERA's answer; None while it is withheld."""
    reader_level_by: str | None
    reader_level_at: datetime | None
    stored_risk: float | None
    """The risk by which the list is ordered, also if it is not shown because the case was referred
    or its result altered.
    """

    @property
    def risk(self) -> float | None:
        """The risk, 0 to 1; None without an answer."""
        return self.statement.risk if self.statement else None

    @property
    def risk_interval(self) -> tuple[float, float] | None:
        """The lowest and highest value of the risk; None without an answer or an interval."""
        return self.statement.risk_interval if self.statement else None

    @property
    def fna(self) -> bool | None:
        """Whether FNA is recommended; None without an answer."""
        if self.statement is None or self.statement.fna is None:
            return None
        return self.statement.fna is FnaOutcome.DUE

    @property
    def fna_advice(self) -> FnaOutcome | None:
        return self.statement.fna if self.statement else None

    @property
    def level(self) -> str | None:
        return self.statement.level if self.statement else None

    @property
    def cutoff_side(self) -> CutoffSide | None:
        return self.statement.side if self.statement else None

    @property
    def model_cautions(self) -> tuple[str, ...]:
        return self.statement.cautions if self.statement else ()

    def position(self, order: Order) -> PagePosition:
        if order is Order.RISK and self.stored_risk is not None:
            return self.stored_risk, self.job_id
        return self.created_at, self.job_id


@dataclass(frozen=True)
class DeadLetterGroup:
    """The number of cases that failed for one reason, and the facts of one of these cases."""

    reason: str
    facts: dict[str, Any] | None
    cases: int


class Worklist(HospitalRepository):
    def page(
        self, filters: WorklistFilter, position: PagePosition | None, limit: int
    ) -> list[WorklistEntry]:
        """Return the entries after this position. Erased cases are left out."""
        matching = self._matching(filters)
        page = (
            _after_position(matching, filters.order, position).limit(limit).subquery()
        )
        latest = self._latest_outcome().lateral("latest")
        first = self._first_reader_level().lateral("first_level")
        withheld = is_withheld(filters.person).label("is_withheld")
        query = (
            select(*ENTRY_COLUMNS, withheld, latest, first)
            .join_from(page, JobRow, JobRow.id == page.c.id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .outerjoin(ResultRow, ResultRow.job_id == JobRow.id)
            .outerjoin(latest, true())
            .outerjoin(first, true())
        )
        rows = self._session.execute(_ordered(query, filters.order))
        return [_entry(row) for row in rows]

    def count(self, filters: WorklistFilter, max_count: int = MAX_COUNTED) -> int:
        """Count the entries; `max_count` + 1 if there are more than `max_count`."""
        matching = self._matching(filters).limit(max_count + 1).subquery()
        return self._session.scalars(select(func.count()).select_from(matching)).one()

    def count_all(self, filters: WorklistFilter) -> int:
        matching = self._matching(filters).subquery()
        return self._session.scalars(select(func.count()).select_from(matching)).one()

    def dead_letter_groups(self) -> list[DeadLetterGroup]:
        """Group the dead letters by reason, the most frequent reason first."""
        count = func.count()
        example_facts = cast(func.max(cast(JobRow.facts, Text)), JSONB)
        query = (
            select(REASON, example_facts, count)
            .where(JobRow.state == JobState.FAILED)
            .group_by(REASON)
            .order_by(count.desc(), REASON)
        )
        rows = self._session.execute(self._restrict_to_hospital(query, JobRow))
        return [DeadLetterGroup(*row) for row in rows]

    def now(self) -> datetime:
        """The database's clock, which gives the cases their dates."""
        return database_time(self._session)

    def _matching(self, filters: WorklistFilter) -> AnySelect:
        """Select the ids of the jobs that match the filters."""
        query = self._restrict_to_hospital(select(JobRow.id), JobRow)
        query = query.join(CaseRow, CaseRow.id == JobRow.case_id).where(
            CaseRow.hospital_id == JobRow.hospital_id, CaseRow.erased_at.is_(None)
        )
        is_by_risk = filters.order is Order.RISK
        if filters.decision is not None or filters.fna is not None or is_by_risk:
            query = query.join(ResultRow, ResultRow.job_id == JobRow.id)
            query = self._restrict_to_hospital(query, ResultRow)
            # Whoever could filter by a withheld answer would know it.
            query = query.where(~is_withheld(filters.person))
        if is_by_risk:
            query = query.where(ResultRow.risk.is_not(None))
        return query.where(
            *_job_conditions(filters),
            *_case_conditions(filters),
            *_result_conditions(filters),
        )

    def _latest_outcome(self) -> AnySelect:
        query = (
            select(
                OutcomeRow.malignant,
                OutcomeRow.source,
                OutcomeRow.determined_on,
                OutcomeRow.consent,
            )
            .where(OutcomeRow.case_id == CaseRow.id)
            .order_by(OutcomeRow.id.desc())
            .limit(1)
        )
        return self._restrict_to_hospital(query, OutcomeRow).correlate(CaseRow)

    def _first_reader_level(self) -> AnySelect:
        query = (
            select(
                ReaderLevelRow.level.label("reader_level"),
                PersonRow.name.label("reader_level_by"),
                ReaderLevelRow.at.label("reader_level_at"),
            )
            .join(PersonRow, PersonRow.id == ReaderLevelRow.person_id)
            .where(ReaderLevelRow.case_id == CaseRow.id)
            .order_by(ReaderLevelRow.id)
            .limit(1)
        )
        return self._restrict_to_hospital(query, ReaderLevelRow).correlate(CaseRow)


def _after_position(
    query: AnySelect, order: Order, position: PagePosition | None
) -> AnySelect:
    if position:
        key = tuple_(*_order_columns(order))
        last_key = tuple_(*map(literal, position))
        is_ascending = order is Order.OLDEST
        query = query.where(key > last_key if is_ascending else key < last_key)
    return _ordered(query, order)


def _ordered(query: AnySelect, order: Order) -> AnySelect:
    columns = _order_columns(order)
    if order is Order.OLDEST:
        return query.order_by(*columns)
    return query.order_by(*(column.desc() for column in columns))


def _order_columns(order: Order) -> tuple[Any, Any]:
    if order is Order.RISK:
        return (ResultRow.risk, ResultRow.job_id)
    return (JobRow.created_at, JobRow.id)


def _job_conditions(filters: WorklistFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.state is not None:
        conditions.append(JobRow.state == filters.state)
    if filters.reason is not None:
        conditions.append(JobRow.reason == filters.reason)
    if filters.priority is not None:
        conditions.append(JobRow.urgent.is_(filters.priority is Priority.URGENT))
    if filters.created_from is not None:
        conditions.append(JobRow.created_at >= filters.created_from)
    if filters.created_until is not None:
        conditions.append(JobRow.created_at <= filters.created_until)
    return conditions


def _case_conditions(filters: WorklistFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.batch is not None:
        conditions.append(CaseRow.batch == filters.batch)
    if filters.id_prefix:
        conditions.append(_has_prefix(filters.id_prefix))
    if filters.outcome:
        conditions.append(_has_outcome(filters.outcome))
    return conditions


def _result_conditions(filters: WorklistFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.decision is not None:
        conditions.append(ResultRow.decision == filters.decision)
    if filters.fna is not None:
        # A referred case has no advice.
        conditions.append(ResultRow.fna == filters.fna)
        conditions.append(ResultRow.decision != Verdict.REFER)
    return conditions


def _has_prefix(prefix: str) -> ColumnElement[bool]:
    """Whether the hospital's number, or the case's id, begins with the prefix.

    The conditions are ranges. Under row-level security PostgreSQL uses an index only for leakproof
    operators, and LIKE is not leakproof.
    """
    number = CaseRow.external_id
    number_matches = and_(
        number.bool_op("~>=~")(prefix), number.bool_op("~<~")(prefix + LAST_LETTER)
    )
    digits = prefix.replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_HEX_DIGITS},32}}", digits):
        return number_matches
    first_id = UUID(digits.ljust(32, "0"))
    last_id = UUID(digits.ljust(32, "f"))
    return or_(number_matches, CaseRow.id.between(first_id, last_id))


def _has_outcome(outcome: OutcomeFilter) -> ColumnElement[bool]:
    outcomes = select(OutcomeRow.id).where(
        OutcomeRow.case_id == CaseRow.id,
        OutcomeRow.hospital_id == CaseRow.hospital_id,
    )
    if outcome is OutcomeFilter.KNOWN:
        return outcomes.exists()
    if outcome is OutcomeFilter.UNKNOWN:
        return ~outcomes.exists()
    newer = aliased(OutcomeRow)
    newer_outcomes = select(newer.id).where(
        newer.case_id == OutcomeRow.case_id, newer.id > OutcomeRow.id
    )
    is_malignant = OutcomeRow.malignant.is_(outcome is OutcomeFilter.MALIGNANT)
    return outcomes.where(is_malignant, ~newer_outcomes.exists()).exists()


def _statement(row: AnyRow, warnings: tuple[str, ...]) -> Statement | None:
    if row.decision is None:
        return None
    outcome = FnaOutcome(row.fna_outcome) if row.fna_outcome else None
    return make_statement(
        StatementFacts(
            decision=Verdict(row.decision),
            risk=row.risk,
            risk_interval=tuple(row.risk_interval) if row.risk_interval else None,
            level=row.level,
            fna=outcome,
            warnings=warnings,
        )
    )


def _entry(row: AnyRow) -> WorklistEntry:
    """A case whose result was altered has failed, and shows none. A withheld one shows none yet."""
    warnings = tuple(warning["code"] for warning in row.warnings or ())
    is_altered = row.state == JobState.DONE and not row.is_genuine
    has_result = row.decision is not None and not is_altered
    shows_result = has_result and not row.is_withheld
    return WorklistEntry(
        case_id=row.case_id,
        job_id=row.job_id,
        external_id=row.external_id,
        batch=row.batch,
        created_at=row.created_at,
        size_mm=row.size_mm,
        state=JobState.FAILED if is_altered else JobState(row.state),
        priority=Priority.URGENT if row.urgent else Priority.ROUTINE,
        attempts=row.attempts,
        reason=Reason.RESULT_CHANGED if is_altered else row.reason,
        facts=row.facts,
        decision=row.decision if shows_result else None,
        statement=_statement(row, warnings) if shows_result else None,
        warnings=warnings if shows_result else (),
        malignant=row.malignant,
        source=row.source,
        determined_on=row.determined_on,
        consent=row.consent,
        is_withheld=has_result and row.is_withheld,
        reader_level=None if row.is_withheld else row.reader_level,
        reader_level_by=None if row.is_withheld else row.reader_level_by,
        reader_level_at=None if row.is_withheld else row.reader_level_at,
        stored_risk=row.risk,
    )
