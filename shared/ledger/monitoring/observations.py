"""Observations: the data of each result that monitoring needs.

They are written with the result, and read by hospital, device and model.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    SQLColumnExpression,
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
    AnyRow,
    AnySelect,
    CaseRow,
    HospitalRow,
    JobRow,
    ModelRow,
    ObservationRow,
    OutcomeRow,
)

MIN_DIGEST_CHARACTERS = 8
"""A shorter text is not searched for as the beginning of a digest."""


@dataclass(frozen=True)
class Observation:
    """One result, as monitoring needs it.

    `strangeness` is the novelty score. `embedding` is the image along the first principal
    directions of the training images, in standard deviations. `benign_p` and `malignant_p` are the
    conformal p-values of the classes. They are None in results of bundles that cannot compute them.
    `warnings` are codes.
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
    """The quantities whose drift is measured, by their names in columns and references."""

    SCORE = "score"
    STRANGENESS = "strangeness"
    EMBEDDING = "embedding"


class Period(StrEnum):
    """The length of a period. Weeks begin on Monday; both by UTC."""

    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Window:
    """A selection of results: from `start` to before `end`, of one hospital, device and model.

    None selects all.
    """

    start: datetime
    end: datetime | None = None
    hospital: UUID | None = None
    device: str | None = None
    model: str | None = None


class ResultSource(NamedTuple):
    """The hospital, device and model of results."""

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
    """How often a code occurred: of a warning, or of a job's failure."""

    hospital: UUID
    device: str | None
    code: str
    times: int


class PeriodCount(NamedTuple):
    """The number of a period's results of one decision, with or without an outcome."""

    hospital: UUID
    period: datetime
    decision: str
    results: int


@dataclass(frozen=True, eq=False)
class VerifiedResults:
    """Results of one hospital, period, model and decision whose cases have an outcome.

    Arrays have shape (N,). `benign_p` and `malignant_p` are NaN if they were not computed.
    """

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
    """A model, and the quantiles of its `cases` training images; None if none are stored."""

    digest: str
    name: str
    version: int
    cases: int | None
    quantiles: dict[str, Any] | None


class Observations:
    """The observations of all hospitals, or of one.

    Each query passes through `_restrict` or `_restrict_to_hospital`.
    """

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def record(self, observations: Sequence[Observation]) -> None:
        """Store the observations of a batch, in the transaction that stores its results."""
        rows = [vars(observation) for observation in observations]
        if rows:
            self._session.execute(insert(ObservationRow), rows)

    def hospitals(self) -> dict[UUID, str]:
        """Names of the visible hospitals."""
        query = select(HospitalRow.id, HospitalRow.name).order_by(HospitalRow.name)
        if self._hospital:
            query = query.where(HospitalRow.id == self._hospital)
        return {row.id: row.name for row in self._session.execute(query)}

    def references(self, digests: Collection[str]) -> list[ModelReference]:
        """The references of these models, oldest model first. Unknown models are left out."""
        query = (
            select(ModelRow)
            .where(ModelRow.digest.in_(digests))
            .order_by(ModelRow.created_at)
        )
        return [_model_reference(row) for row in self._session.scalars(query)]

    def find_model(self, name_or_digest: str) -> str | None:
        """The digest of a model by its digest, the beginning of it, NAME/VERSION, or NAME.

        A name means its latest version. None if there is no such model.
        """
        name_and_version = ModelRow.name + "/" + cast(ModelRow.version, String)
        conditions = [
            ModelRow.name == name_or_digest,
            name_and_version == name_or_digest,
        ]
        if len(name_or_digest) >= MIN_DIGEST_CHARACTERS:
            conditions.append(
                ModelRow.digest.startswith(name_or_digest, autoescape=True)
            )
        query = (
            select(ModelRow.digest)
            .where(or_(*conditions))
            .order_by(ModelRow.version.desc())
            .limit(1)
        )
        return self._session.scalar(query)

    def decisions(self, window: Window) -> list[DecisionCount]:
        """Counts by hospital, device, model and decision."""
        columns = (
            ObservationRow.hospital_id,
            ObservationRow.device,
            ObservationRow.model_digest,
            ObservationRow.decision,
        )
        query = select(*columns, func.count()).group_by(*columns)
        rows = self._session.execute(self._restrict(query, window))
        return [DecisionCount(*row) for row in rows]

    def quantile_counts(
        self,
        window: Window,
        model: str,
        quantity: Quantity,
        references: Sequence[Sequence[float]],
    ) -> dict[ResultSource, list[NDArray[np.int64]]]:
        """Count a model's results between the reference's quantiles, by hospital and device.

        There is one reference of Q quantiles for each component of the quantity; a number is its
        only component. Each component has (Q + 1,) counts: below the first quantile, between each
        two neighbours, and from the last on.
        """
        if quantity is Quantity.EMBEDDING:
            components = _embedding_components(len(references))
        else:
            components = [getattr(ObservationRow, quantity)]
        bucket_columns = [
            pack_bucket_numbers(component, quantiles)
            for component, quantiles in zip(components, references, strict=True)
        ]
        source_columns = (ObservationRow.hospital_id, ObservationRow.device)
        query = (
            select(*source_columns, *bucket_columns)
            .where(ObservationRow.model_digest == model)
            .group_by(*source_columns)
        )
        sizes = [len(quantiles) + 1 for quantiles in references]
        counts_by_source: dict[ResultSource, list[NDArray[np.int64]]] = {}
        for row in self._session.execute(self._restrict(query, window)):
            hospital, device, *packed_buckets = row
            source = ResultSource(hospital=hospital, device=device, model=model)
            counts_by_source[source] = [
                _count_buckets(packed, size)
                for packed, size in zip(packed_buckets, sizes, strict=True)
            ]
        return counts_by_source

    def warnings(self, window: Window) -> list[CodeCount]:
        """Count the results that have each warning."""
        code = func.jsonb_array_elements_text(ObservationRow.warnings).label("code")
        query = select(ObservationRow.hospital_id, ObservationRow.device, code)
        codes = self._restrict(query, window).subquery()
        counts = select(*codes.c, func.count().label("times")).group_by(*codes.c)
        return [
            CodeCount(
                hospital=row.hospital_id,
                device=row.device,
                code=row.code,
                times=row.times,
            )
            for row in self._session.execute(counts)
        ]

    def failures(self, window: Window) -> list[CodeCount]:
        """Count, by reason, the failed jobs that were submitted in the window.

        The window's model has no effect.
        """
        columns = (JobRow.hospital_id, CaseRow.device, REASON)
        is_failed = JobRow.state == literal_column(f"'{JobState.FAILED}'")
        query = (
            select(*columns, func.count())
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(is_failed)
            .group_by(*columns)
        )
        query = _restrict_to_time(query, window, JobRow.created_at)
        query = self._restrict_to_hospital(query, window, JobRow.hospital_id)
        if window.device is not None:
            query = query.where(CaseRow.device == window.device)
        return [CodeCount(*row) for row in self._session.execute(query)]

    def period_counts(self, window: Window, period: Period) -> list[PeriodCount]:
        """Counts by hospital, period and decision, with or without outcomes."""
        columns = (
            ObservationRow.hospital_id,
            _period_start(period),
            ObservationRow.decision,
        )
        query = select(*columns, func.count()).group_by(*columns)
        rows = self._session.execute(self._restrict(query, window))
        return [PeriodCount(*row) for row in rows]

    def verified(self, window: Window, period: Period) -> list[VerifiedResults]:
        """Results of cases with an outcome, by hospital, period, model and decision.

        The latest outcome of each case is used.
        """
        newer = aliased(OutcomeRow)
        newer_outcome = (
            select(newer.id)
            .where(newer.case_id == OutcomeRow.case_id, newer.id > OutcomeRow.id)
            .exists()
        )
        group_columns = (
            ObservationRow.hospital_id,
            _period_start(period).label("period"),
            ObservationRow.model_digest,
            ObservationRow.decision,
        )
        packed_columns = (
            pack_doubles(ObservationRow.score).label("score"),
            pack_doubles(ObservationRow.risk).label("risk"),
            pack_doubles(ObservationRow.benign_p).label("benign_p"),
            pack_doubles(ObservationRow.malignant_p).label("malignant_p"),
            pack_smallints(cast(OutcomeRow.malignant, Integer)).label("malignant"),
        )
        query = (
            select(*group_columns, *packed_columns)
            .join(OutcomeRow, OutcomeRow.case_id == ObservationRow.case_id)
            .where(~newer_outcome)
            .group_by(*group_columns)
        )
        rows = self._session.execute(self._restrict(query, window))
        return [_verified_results(row) for row in rows]

    def _restrict(self, query: AnySelect, window: Window) -> AnySelect:
        """Apply the hospital's scope and the window to a query of observations."""
        query = _restrict_to_time(query, window, ObservationRow.created_at)
        query = self._restrict_to_hospital(query, window, ObservationRow.hospital_id)
        if window.device is not None:
            query = query.where(ObservationRow.device == window.device)
        if window.model is not None:
            query = query.where(ObservationRow.model_digest == window.model)
        return query

    def _restrict_to_hospital(
        self, query: AnySelect, window: Window, column: SQLColumnExpression[Any]
    ) -> AnySelect:
        for hospital in {self._hospital, window.hospital} - {None}:
            query = query.where(column == hospital)
        return query


def _restrict_to_time(
    query: AnySelect, window: Window, column: SQLColumnExpression[Any]
) -> AnySelect:
    query = query.where(column >= window.start)
    if window.end is None:
        return query
    return query.where(column < window.end)


def _period_start(period: Period) -> ColumnElement[datetime]:
    return func.date_trunc(
        literal_column(f"'{period}'"),
        ObservationRow.created_at,
        literal_column("'UTC'"),
    )


def _embedding_components(count: int) -> list[ColumnElement[float]]:
    return [
        cast(ObservationRow.embedding[number].astext, Double) for number in range(count)
    ]


def _count_buckets(packed: memoryview | None, size: int) -> NDArray[np.int64]:
    """(size,) counts of packed bucket numbers."""
    return np.bincount(unpack_smallints(packed), minlength=size)


def _verified_results(row: AnyRow) -> VerifiedResults:
    return VerifiedResults(
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


def _model_reference(row: ModelRow) -> ModelReference:
    reference = row.reference or {}
    images = reference.get("images") or row.metrics.get("images")
    return ModelReference(
        digest=row.digest,
        name=row.name,
        version=row.version,
        cases=int(images) if images else None,
        quantiles=reference.get("quantiles"),
    )
