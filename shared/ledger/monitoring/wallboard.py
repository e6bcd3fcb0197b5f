"""The data of the wallboard: results and their latency, waiting jobs, failures, decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVarTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    SQLColumnExpression,
    Subquery,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from shared.ledger.clock import database_time
from shared.ledger.jobs.backlog import FAILED, QUEUED, REASON, RUNNING
from shared.ledger.tables import HospitalRow, JobRow, ObservationRow, ResultRow

Columns = TypeVarTuple("Columns")

LATENCY_S = cast(
    func.extract("epoch", ResultRow.created_at - JobRow.created_at), Double
)
"""The time from submission to result, also for a dead letter that was run again."""
REFER: ColumnElement[str] = literal_column("'refer'")


class Span(NamedTuple):
    """A period that ends at `end`, divided into `buckets` parts of the length `bucket`."""

    end: datetime
    bucket: timedelta
    buckets: int

    @property
    def start(self) -> datetime:
        return self.end - self.bucket * self.buckets


class Throughput(NamedTuple):
    """The number of results and their latency, in seconds from submission to result.

    `hospital` is None for all hospitals. `bucket` is None for the whole span.
    """

    hospital: UUID | None
    bucket: int | None
    results: int
    p50_s: float
    p95_s: float


class WaitingLane(NamedTuple):
    """The waiting jobs of one lane; `oldest` is the time at which the oldest was queued."""

    hospital: UUID
    urgent: bool
    jobs: int
    oldest: datetime


class DeadLetterCount(NamedTuple):
    """Dead letters of one reason; `lately` counts the dead letters that failed within the span."""

    hospital: UUID
    reason: str
    dead: int
    lately: int


class ReferralCount(NamedTuple):
    hospital: UUID
    results: int
    refer: int


@dataclass(frozen=True)
class WallboardData:
    """All data of the wallboard at one moment."""

    span: Span
    hospitals: dict[UUID, str]
    throughputs: Sequence[Throughput]
    lanes: Sequence[WaitingLane]
    running: dict[UUID, int]
    dead_letters: Sequence[DeadLetterCount]
    decisions: Sequence[ReferralCount]


class Wallboard:
    """The wallboard of all hospitals, or of one.

    Each query passes through `_restrict_to_hospital`.
    """

    def __init__(self, session: Session, hospital: UUID | None = None) -> None:
        self._session = session
        self._hospital = hospital

    def now(self) -> datetime:
        """The database's clock, which gives all times of the wallboard."""
        return database_time(self._session)

    def read(self, span: Span) -> WallboardData:
        return WallboardData(
            span=span,
            hospitals=self._hospitals(),
            throughputs=self._throughputs(span),
            lanes=self._lanes(),
            running=self._running(),
            dead_letters=self._dead_letters(span),
            decisions=self._decisions(span),
        )

    def _hospitals(self) -> dict[UUID, str]:
        query = select(HospitalRow.id, HospitalRow.name).order_by(HospitalRow.name)
        rows = self._session.execute(self._restrict_to_hospital(query, HospitalRow.id))
        return {row.id: row.name for row in rows}

    def _throughputs(self, span: Span) -> list[Throughput]:
        age_s = func.extract("epoch", ResultRow.created_at - span.start)
        bucket = cast(func.floor(age_s / span.bucket.total_seconds()), Integer)
        query = (
            select(
                ResultRow.hospital_id,
                bucket.label("bucket"),
                LATENCY_S.label("latency_s"),
            )
            .join(JobRow, JobRow.id == ResultRow.job_id)
            .where(ResultRow.created_at >= span.start, ResultRow.created_at < span.end)
        )
        results = self._restrict_to_hospital(query, ResultRow.hospital_id).subquery()
        grouping_sets = func.grouping_sets(
            tuple_(results.c.hospital_id),
            tuple_(results.c.bucket),
            literal_column("()"),
        )
        grouped = select(
            results.c.hospital_id,
            results.c.bucket,
            func.count(),
            _latency_quantile(0.5, results),
            _latency_quantile(0.95, results),
        ).group_by(grouping_sets)
        throughputs = [Throughput(*row) for row in self._session.execute(grouped)]
        return [throughput for throughput in throughputs if throughput.results]

    def _lanes(self) -> list[WaitingLane]:
        columns = (JobRow.hospital_id, JobRow.urgent)
        query = (
            select(*columns, func.count(), func.min(JobRow.queued_at))
            .where(QUEUED)
            .group_by(*columns)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, JobRow.hospital_id)
        )
        return [WaitingLane(*row) for row in rows]

    def _running(self) -> dict[UUID, int]:
        jobs = func.count().label("jobs")
        query = (
            select(JobRow.hospital_id, jobs).where(RUNNING).group_by(JobRow.hospital_id)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, JobRow.hospital_id)
        )
        return {row.hospital_id: row.jobs for row in rows}

    def _dead_letters(self, span: Span) -> list[DeadLetterCount]:
        columns = (JobRow.hospital_id, REASON)
        lately = func.count().filter(JobRow.updated_at >= span.start)
        query = select(*columns, func.count(), lately).where(FAILED).group_by(*columns)
        rows = self._session.execute(
            self._restrict_to_hospital(query, JobRow.hospital_id)
        )
        return [DeadLetterCount(*row) for row in rows]

    def _decisions(self, span: Span) -> list[ReferralCount]:
        refer = func.count().filter(ObservationRow.decision == REFER)
        query = (
            select(ObservationRow.hospital_id, func.count(), refer)
            .where(
                ObservationRow.created_at >= span.start,
                ObservationRow.created_at < span.end,
            )
            .group_by(ObservationRow.hospital_id)
        )
        rows = self._session.execute(
            self._restrict_to_hospital(query, ObservationRow.hospital_id)
        )
        return [ReferralCount(*row) for row in rows]

    def _restrict_to_hospital(
        self, query: Select[*Columns], column: SQLColumnExpression[UUID]
    ) -> Select[*Columns]:
        if self._hospital is None:
            return query
        return query.where(column == self._hospital)


def _latency_quantile(quantile: float, results: Subquery) -> ColumnElement[float]:
    percentile = func.percentile_cont(literal_column(str(quantile)))
    return percentile.within_group(results.c.latency_s)
