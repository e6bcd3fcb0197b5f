"""What monitoring needs of each result: written with it, read by hospital, device and model."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Double,
    Integer,
    String,
    cast,
    func,
    insert,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from shared.domain.jobs import JobState
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.jobs.backlog import REASON
from shared.ledger.packed_columns import (
    Floats,
    pack_bucket_numbers,
    pack_doubles,
    pack_smallints,
    unpack_doubles,
    unpack_smallints,
)
from shared.ledger.tables import (
    AnySelect,
    CaseRow,
    HospitalRow,
    JobRow,
    ModelRow,
    ObservationRow,
    OutcomeRow,
)

MIN_DIGEST_CHARACTERS = 8
"""Letters of a digest that are taken for a whole one."""


@dataclass(frozen=True)
class Observation:
    """One result as monitoring sees it.

    `strangeness` is the novelty score, `embedding` the image along the training images' first principal directions in
    standard deviations, `benign_p` and `malignant_p` are the conformal p-values of the classes; None in results of
    bundles that cannot tell. `warnings` are codes.
    """

    job_id: UUID
    case_id: UUID
    hospital_id: UUID
    model_digest: str
    device: str | None
    score: float
    risk: float
    decision: str
    cutoff: float
    strangeness: float | None
    embedding: tuple[float, ...] | None
    benign_p: float | None
    malignant_p: float | None
    warnings: tuple[str, ...]


class Quantity(StrEnum):
    """What drift is measured of, by the names of the columns and of a model's reference."""

    SCORE = "score"
    STRANGENESS = "strangeness"
    EMBEDDING = "embedding"


class Period(StrEnum):
    """The length of a step through time; weeks begin on Monday, both by UTC."""

    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Window:
    """Which results to look at: made from `since` to before `until`, of one hospital, device and model or of all."""

    start: datetime
    end: datetime | None = None
    hospital: UUID | None = None
    device: str | None = None
    model: str | None = None


class ResultSource(NamedTuple):
    """Where results come from."""

    hospital: UUID
    device: str | None
    model: str


class DecisionCount(NamedTuple):
    hospital: UUID
    device: str | None
    model: str
    decision: str
    results: int


class CodeCount(NamedTuple):
    """How often a code was told: of a warning, or of a job's failure."""

    hospital: UUID
    device: str | None
    code: str
    times: int


class PeriodCount(NamedTuple):
    """Results of a step of time, and how many of them have an outcome."""

    hospital: UUID
    period: datetime
    decision: str
    results: int


@dataclass(frozen=True, eq=False)
class VerifiedResults:
    """Results (N,) of one kind whose cases have an outcome; `benign_p` and `malignant_p` are NaN where not told."""

    hospital: UUID
    period: datetime
    model: str
    decision: str
    score: Floats
    risk: Floats
    benign_p: Floats
    malignant_p: Floats
    malignant: NDArray[np.bool_]


@dataclass(frozen=True)
class ModelReference:
    """A model, and the quantiles of its `cases` training images; None where it was stored without."""

    digest: str
    name: str
    version: int
    cases: int | None
    quantiles: dict[str, Any] | None


class Observations:
    """Of all hospitals, or of one alone where it is given; each reading passes through `_within`."""

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def record(self, observations: Sequence[Observation]) -> None:
        """Write those of one batch, in the transaction that writes their results."""
        if observations:
            self._session.execute(
                insert(ObservationRow), [vars(each) for each in observations]
            )

    def hospitals(self) -> dict[UUID, str]:
        """Names of those that may be seen."""
        query = select(HospitalRow.id, HospitalRow.name).order_by(HospitalRow.name)
        if self._hospital:
            query = query.where(HospitalRow.id == self._hospital)
        return {row.id: row.name for row in self._session.execute(query)}

    def references(self, digests: Collection[str]) -> list[ModelReference]:
        """What is known of these models; those that are not stored are left out."""
        rows = self._session.scalars(
            select(ModelRow)
            .where(ModelRow.digest.in_(digests))
            .order_by(ModelRow.created_at)
        )
        return [_reference(row) for row in rows]

    def find_model(self, which: str) -> str | None:
        """Digest of a model by itself, a start of it, NAME/VERSION, or NAME (its newest); None if there is none."""
        meant = [
            ModelRow.name == which,
            ModelRow.name + "/" + cast(ModelRow.version, String) == which,
        ]
        if len(which) >= MIN_DIGEST_CHARACTERS:
            meant.append(ModelRow.digest.startswith(which, autoescape=True))
        return self._session.scalar(
            select(ModelRow.digest)
            .where(or_(*meant))
            .order_by(ModelRow.version.desc())
            .limit(1)
        )

    def decisions(self, window: Window) -> list[DecisionCount]:
        """Counts by hospital, device, model and decision."""
        source = (
            ObservationRow.hospital_id,
            ObservationRow.device,
            ObservationRow.model_digest,
        )
        query = select(*source, ObservationRow.decision, func.count()).group_by(
            *source, ObservationRow.decision
        )
        return [
            DecisionCount(*row) for row in self._session.execute(self._within(query, window))
        ]

    def quantile_counts(
        self,
        window: Window,
        model: str,
        quantity: Quantity,
        references: Sequence[Sequence[float]],
    ) -> dict[ResultSource, list[NDArray[np.int64]]]:
        """How many results of a model lie between the reference's quantiles, for each hospital and device.

        There is one reference of Q quantiles for each component of the quantity; a number is its only component. Each
        gets Q + 1 counts: below the first quantile, from each up to the next, from the last on.
        """
        parts = (
            _components(len(references))
            if quantity is Quantity.EMBEDDING
            else [getattr(ObservationRow, quantity)]
        )
        numbers = [
            pack_bucket_numbers(part, table) for part, table in zip(parts, references, strict=True)
        ]
        source = (ObservationRow.hospital_id, ObservationRow.device)
        query = select(*source, *numbers).where(ObservationRow.model_digest == model)
        rows = self._session.execute(self._within(query, window).group_by(*source))
        sizes = [len(table) + 1 for table in references]
        return {
            ResultSource(row[0], row[1], model): list(map(_counts, row[2:], sizes))
            for row in rows
        }

    def warnings(self, window: Window) -> list[CodeCount]:
        """How many results carry each warning."""
        code = func.jsonb_array_elements_text(ObservationRow.warnings).label("code")
        each = self._within(
            select(ObservationRow.hospital_id, ObservationRow.device, code), window
        ).subquery()
        query = select(*each.c, func.count().label("times")).group_by(*each.c)
        return [
            CodeCount(
                hospital=row.hospital_id,
                device=row.device,
                code=row.code,
                times=row.times,
            )
            for row in self._session.execute(query)
        ]

    def failures(self, window: Window) -> list[CodeCount]:
        """How many jobs submitted in the window failed for each reason; the window's model does not part them."""
        by = (JobRow.hospital_id, CaseRow.device, REASON)
        query = (
            select(*by, func.count())
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .group_by(*by)
        )
        query = query.where(JobRow.state == literal_column(f"'{JobState.FAILED}'"))
        query = self._of_hospital(
            _made(query, window, JobRow.created_at), window, JobRow.hospital_id
        )
        if window.device is not None:
            query = query.where(CaseRow.device == window.device)
        return [CodeCount(*row) for row in self._session.execute(query)]

    def period_counts(self, window: Window, period: Period) -> list[PeriodCount]:
        """Counts by hospital, step of time and decision, outcomes or not."""
        by = (ObservationRow.hospital_id, _step(period), ObservationRow.decision)
        query = self._within(select(*by, func.count()), window).group_by(*by)
        return [PeriodCount(*row) for row in self._session.execute(query)]

    def verified(self, window: Window, period: Period) -> list[VerifiedResults]:
        """Results of cases with an outcome, which is each case's last, by hospital, step, model and decision."""
        later = aliased(OutcomeRow)
        corrected = (
            select(later.id)
            .where(later.case_id == OutcomeRow.case_id, later.id > OutcomeRow.id)
            .exists()
        )
        step = _step(period).label("period")
        kind = (
            ObservationRow.hospital_id,
            step,
            ObservationRow.model_digest,
            ObservationRow.decision,
        )
        columns = (
            pack_doubles(ObservationRow.score).label("score"),
            pack_doubles(ObservationRow.risk).label("risk"),
            pack_doubles(ObservationRow.benign_p).label("benign_p"),
            pack_doubles(ObservationRow.malignant_p).label("malignant_p"),
            pack_smallints(cast(OutcomeRow.malignant, Integer)).label("malignant"),
        )
        query = (
            select(*kind, *columns)
            .join(OutcomeRow, OutcomeRow.case_id == ObservationRow.case_id)
            .where(~corrected)
            .group_by(*kind)
        )
        rows = self._session.execute(self._within(query, window))
        return [
            VerifiedResults(
                hospital=row.hospital_id,
                period=row.period,
                model=row.model_digest,
                decision=row.decision,
                score=unpack_doubles(row.score),
                risk=unpack_doubles(row.risk),
                benign_p=unpack_doubles(row.benign_p),
                malignant_p=unpack_doubles(row.malignant_p),
                malignant=unpack_smallints(row.malignant) == 1,
            )
            for row in rows
        ]

    def _within(self, query: AnySelect, window: Window) -> AnySelect:
        """The one place where the hospital's scope and the window are applied to observations."""
        query = self._of_hospital(
            _made(query, window, ObservationRow.created_at),
            window,
            ObservationRow.hospital_id,
        )
        if window.device is not None:
            query = query.where(ObservationRow.device == window.device)
        return (
            query
            if window.model is None
            else query.where(ObservationRow.model_digest == window.model)
        )

    def _of_hospital(self, query: AnySelect, window: Window, column: Any) -> AnySelect:
        for hospital in {self._hospital, window.hospital} - {None}:
            query = query.where(column == hospital)
        return query


def _made(query: AnySelect, window: Window, column: Any) -> AnySelect:
    query = query.where(column >= window.start)
    return query if window.end is None else query.where(column < window.end)


def _step(period: Period) -> Any:
    return func.date_trunc(
        literal_column(f"'{period}'"),
        ObservationRow.created_at,
        literal_column("'UTC'"),
    )


def _components(count: int) -> list[Any]:
    return [
        cast(ObservationRow.embedding[number].astext, Double) for number in range(count)
    ]


def _counts(bucket_numbers: memoryview | None, size: int) -> NDArray[np.int64]:
    return np.bincount(unpack_smallints(bucket_numbers), minlength=size)


def _reference(row: ModelRow) -> ModelReference:
    held = row.reference or {}
    images = held.get("images") or row.metrics.get("images")
    return ModelReference(
        row.digest,
        row.name,
        row.version,
        int(images) if images else None,
        held.get("quantiles"),
    )
