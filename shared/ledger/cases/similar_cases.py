"""Finds past cases with a known outcome that are nearest to a case, by the model's embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Subquery, cast, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from shared.ledger.cases.outcomes import Outcome, outcome_from_row
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import AnyRow, CaseRow, ObservationRow, OutcomeRow


@dataclass(frozen=True)
class EmbeddedCase:
    """A case with its embedding by one model; None if the model's bundle cannot compute it."""

    model_digest: str
    embedding: tuple[float, ...] | None
    image_sha256: str


@dataclass(frozen=True)
class Neighbour:
    """A past case. `distance` is Euclidean, in standard deviations of the training images."""

    case_id: UUID
    job_id: UUID
    external_id: str | None
    size_mm: float
    created_at: datetime
    risk: float | None
    """None, as the decision, if the answer is withheld from the reader."""
    decision: str | None
    distance: float
    outcome: Outcome


@dataclass(frozen=True)
class Neighbours:
    """The nearest cases, and the number of cases that were compared."""

    candidate_count: int
    nearest: list[Neighbour]


class SimilarCases(HospitalRepository):
    def embedded_case(self, case_id: UUID) -> EmbeddedCase | None:
        """Return the embedding from the case's latest result; None if it has no result."""
        query = (
            select(ObservationRow, CaseRow.image_sha256)
            .join(CaseRow, CaseRow.id == ObservationRow.case_id)
            .where(ObservationRow.case_id == case_id)
            .order_by(ObservationRow.created_at.desc())
            .limit(1)
        )
        query = self._restrict_to_hospital(query, ObservationRow)
        row = self._session.execute(query).first()
        if row is None:
            return None
        observation, image_sha256 = row
        embedding = tuple(observation.embedding) if observation.embedding else None
        return EmbeddedCase(
            model_digest=observation.model_digest,
            embedding=embedding,
            image_sha256=image_sha256,
        )

    def nearest(self, case: EmbeddedCase, case_id: UUID, limit: int) -> Neighbours:
        """Return the nearest cases with a known outcome that the same model processed.

        Cases with the same image are excluded.
        """
        if case.embedding is None:
            return Neighbours(candidate_count=0, nearest=[])
        candidates = self._candidates(
            case=case, embedding=case.embedding, case_id=case_id
        )
        query = (
            select(candidates, OutcomeRow)
            .join(OutcomeRow, OutcomeRow.id == candidates.c.outcome_id)
            .order_by(candidates.c.distance, candidates.c.case_id)
            .limit(limit)
        )
        nearest = [_neighbour(row) for row in self._session.execute(query)]
        count_query = select(func.count()).select_from(candidates)
        count = self._session.scalars(count_query).one()
        return Neighbours(candidate_count=count, nearest=nearest)

    def _candidates(
        self, case: EmbeddedCase, embedding: tuple[float, ...], case_id: UUID
    ) -> Subquery:
        """One row for each candidate, with its latest result and its latest outcome."""
        last_outcome_id = func.max(OutcomeRow.id).label("outcome_id")
        outcomes = (
            self._restrict_to_hospital(
                select(OutcomeRow.case_id, last_outcome_id), OutcomeRow
            )
            .group_by(OutcomeRow.case_id)
            .subquery()
        )
        columns = (
            CaseRow.id.label("case_id"),
            CaseRow.external_id,
            CaseRow.size_mm,
            CaseRow.created_at,
            ObservationRow.job_id,
            ObservationRow.risk,
            ObservationRow.decision,
            outcomes.c.outcome_id,
            _distance(embedding),
        )
        query = (
            self._restrict_to_hospital(select(*columns), ObservationRow)
            .join(CaseRow, CaseRow.id == ObservationRow.case_id)
            .join(outcomes, outcomes.c.case_id == CaseRow.id)
            .where(
                ObservationRow.model_digest == case.model_digest,
                CaseRow.erased_at.is_(None),
            )
            .where(CaseRow.id != case_id, CaseRow.image_sha256 != case.image_sha256)
            .where(func.jsonb_array_length(ObservationRow.embedding) == len(embedding))
            .ext(distinct_on(CaseRow.id))
            .order_by(CaseRow.id, ObservationRow.created_at.desc())
        )
        return query.subquery()


def _distance(embedding: Sequence[float]) -> ColumnElement[float]:
    differences = [
        cast(ObservationRow.embedding[number].astext, Double) - value
        for number, value in enumerate(embedding)
    ]
    squares = [difference * difference for difference in differences]
    return func.sqrt(sum(squares)).label("distance")


def _neighbour(row: AnyRow) -> Neighbour:
    columns = row._mapping
    values = {
        field.name: columns[field.name]
        for field in fields(Neighbour)
        if field.name != "outcome"
    }
    return Neighbour(**values, outcome=outcome_from_row(columns[OutcomeRow]))
