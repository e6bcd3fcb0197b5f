"""What the wall shows of the last minutes or hours: results and the time they took, what waits, what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVarTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
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

TOOK_S = cast(func.extract("epoch", ResultRow.created_at - JobRow.created_at), Double)
"""Submit to result. A dead letter that was run again counts from its submission."""
REFER: ColumnElement[str] = literal_column("'refer'")


class Span(NamedTuple):
    """A stretch of time up to `until`, cut into `buckets` of `bucket` each."""

    end: datetime
    bucket: timedelta
    buckets: int

    @property
    def start(self) -> datetime:
        return self.end - self.bucket * self.buckets


class Throughput(NamedTuple):
    """Results of a hospital (None: all) in a bucket (None: the whole span); seconds from submit to result."""

    hospital: UUID | None
    bucket: int | None
    results: int
    p50_s: float
    p95_s: float


class WaitingLane(NamedTuple):
    """Jobs that wait in a lane, and since when the oldest does."""

    hospital: UUID
    urgent: bool
    jobs: int
    oldest: datetime


class DeadLetterCount(NamedTuple):
    """Dead letters of a reason, and how many of them failed in the span."""

    hospital: UUID
    reason: str
    dead: int
    lately: int


class DecisionCount(NamedTuple):
    hospital: UUID
    results: int
    refer: int


@dataclass(frozen=True)
class WallboardData:
    """Everything at one moment."""

    span: Span
    hospitals: dict[UUID, str]
    throughputs: Sequence[Throughput]
    lanes: Sequence[WaitingLane]
    running: dict[UUID, int]
    dead_letters: Sequence[DeadLetterCount]
    decisions: Sequence[DecisionCount]


class Wallboard:
    """Of all hospitals, or of one alone where it is given; each reading passes through `_mine`."""

    def __init__(self, session: Session, hospital: UUID | None = None) -> None:
        self._session = session
        self._hospital = hospital

    def now(self) -> datetime:
        """By the database's clock, which all its times are by."""
        return database_time(self._session)

    def read(self, span: Span) -> WallboardData:
        return WallboardData(
            span, self._hospitals(), self._paces(span), self._lanes(), self._running(), self._failed(span),
            self._decided(span),
        )  # fmt: skip

    def _hospitals(self) -> dict[UUID, str]:
        query = self._mine(
            select(HospitalRow.id, HospitalRow.name), HospitalRow.id
        ).order_by(HospitalRow.name)
        return {row.id: row.name for row in self._session.execute(query)}

    def _paces(self, span: Span) -> list[Throughput]:
        age_s = func.extract("epoch", ResultRow.created_at - span.start)
        bucket = cast(func.floor(age_s / span.bucket.total_seconds()), Integer).label(
            "bucket"
        )
        made = select(ResultRow.hospital_id, bucket, TOOK_S.label("took")).join(
            JobRow, JobRow.id == ResultRow.job_id
        )
        made = made.where(
            ResultRow.created_at >= span.start, ResultRow.created_at < span.end
        )
        each = self._mine(made, ResultRow.hospital_id).subquery()
        query = select(
            each.c.hospital_id,
            each.c.bucket,
            func.count(),
            _quantile(0.5, each),
            _quantile(0.95, each),
        )
        sets = func.grouping_sets(
            tuple_(each.c.hospital_id), tuple_(each.c.bucket), literal_column("()")
        )
        return [
            Throughput(*row) for row in self._session.execute(query.group_by(sets)) if row[2]
        ]

    def _lanes(self) -> list[WaitingLane]:
        by = (JobRow.hospital_id, JobRow.urgent)
        query = (
            select(*by, func.count(), func.min(JobRow.queued_at))
            .where(QUEUED)
            .group_by(*by)
        )
        return [
            WaitingLane(*row)
            for row in self._session.execute(self._mine(query, JobRow.hospital_id))
        ]

    def _running(self) -> dict[UUID, int]:
        jobs = func.count().label("jobs")
        query = (
            select(JobRow.hospital_id, jobs).where(RUNNING).group_by(JobRow.hospital_id)
        )
        rows = self._session.execute(self._mine(query, JobRow.hospital_id))
        return {row.hospital_id: row.jobs for row in rows}

    def _failed(self, span: Span) -> list[DeadLetterCount]:
        by = (JobRow.hospital_id, REASON)
        lately = func.count().filter(JobRow.updated_at >= span.start)
        query = select(*by, func.count(), lately).where(FAILED).group_by(*by)
        return [
            DeadLetterCount(*row)
            for row in self._session.execute(self._mine(query, JobRow.hospital_id))
        ]

    def _decided(self, span: Span) -> list[DecisionCount]:
        refer = func.count().filter(ObservationRow.decision == REFER)
        query = select(ObservationRow.hospital_id, func.count(), refer).group_by(
            ObservationRow.hospital_id
        )
        query = query.where(
            ObservationRow.created_at >= span.start,
            ObservationRow.created_at < span.end,
        )
        return [
            DecisionCount(*row)
            for row in self._session.execute(
                self._mine(query, ObservationRow.hospital_id)
            )
        ]

    def _mine(self, query: Select[*Columns], column: Any) -> Select[*Columns]:
        return (
            query if self._hospital is None else query.where(column == self._hospital)
        )


def _quantile(share: float, each: Any) -> Any:
    return func.percentile_cont(literal_column(str(share))).within_group(each.c.took)
