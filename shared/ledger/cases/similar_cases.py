"""Past cases with a known outcome, nearest to a case by the model's embedding of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Subquery, cast, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from shared.ledger.cases.outcomes import Outcome, as_outcome
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import AnyRow, CaseRow, ObservationRow, OutcomeRow


@dataclass(frozen=True)
class Place:
    """Where a model puts a case; the embedding is None where the bundle cannot tell."""

    model_digest: str
    embedding: tuple[float, ...] | None
    image_sha256: str


@dataclass(frozen=True)
class Neighbour:
    """A past case; `distance` is Euclidean, in standard deviations of the training images."""

    case_id: UUID
    job_id: UUID
    external_id: str | None
    size_mm: float
    created_at: datetime
    risk: float
    decision: str
    distance: float
    outcome: Outcome


@dataclass(frozen=True)
class Neighbours:
    """The nearest, and among how many they were looked for."""

    among: int
    nearest: list[Neighbour]


class SimilarCases(HospitalRepository):
    def place(self, case_id: UUID) -> Place | None:
        """By the newest result of the case; None without one."""
        query = self._restrict_to_hospital(select(ObservationRow, CaseRow.image_sha256), ObservationRow)
        query = query.join(CaseRow, CaseRow.id == ObservationRow.case_id).where(
            ObservationRow.case_id == case_id
        )
        found = self._session.execute(
            query.order_by(ObservationRow.created_at.desc()).limit(1)
        ).first()
        if found is None:
            return None
        row, image = found
        return Place(
            row.model_digest, tuple(row.embedding) if row.embedding else None, image
        )

    def nearest(self, place: Place, case_id: UUID, limit: int) -> Neighbours:
        """Cases that the same model has read and whose outcome is known, but none of the same image."""
        if place.embedding is None:
            return Neighbours(0, [])
        known = self._known(place, place.embedding, case_id)
        query = select(known, OutcomeRow).join(
            OutcomeRow, OutcomeRow.id == known.c.outcome_id
        )
        rows = self._session.execute(
            query.order_by(known.c.distance, known.c.case_id).limit(limit)
        )
        among = self._session.scalars(select(func.count()).select_from(known)).one()
        return Neighbours(among, [_neighbour(row) for row in rows])

    def _known(
        self, place: Place, embedding: tuple[float, ...], case_id: UUID
    ) -> Subquery:
        """One row for each case to choose from, by its newest result and its last outcome."""
        last = self._restrict_to_hospital(
            select(OutcomeRow.case_id, func.max(OutcomeRow.id).label("outcome_id")),
            OutcomeRow,
        )
        outcomes = last.group_by(OutcomeRow.case_id).subquery()
        told = (ObservationRow.job_id, ObservationRow.risk, ObservationRow.decision)
        case = (
            CaseRow.id.label("case_id"),
            CaseRow.external_id,
            CaseRow.size_mm,
            CaseRow.created_at,
        )
        query = (
            self._restrict_to_hospital(
                select(*case, *told, outcomes.c.outcome_id, _distance(embedding)),
                ObservationRow,
            )
            .join(CaseRow, CaseRow.id == ObservationRow.case_id)
            .join(outcomes, outcomes.c.case_id == CaseRow.id)
            .where(
                ObservationRow.model_digest == place.model_digest,
                CaseRow.erased_at.is_(None),
            )
            .where(CaseRow.id != case_id, CaseRow.image_sha256 != place.image_sha256)
            .where(func.jsonb_array_length(ObservationRow.embedding) == len(embedding))
            .ext(distinct_on(CaseRow.id))
            .order_by(CaseRow.id, ObservationRow.created_at.desc())
        )
        return query.subquery()


def _distance(embedding: Sequence[float]) -> ColumnElement[float]:
    parts = (
        cast(ObservationRow.embedding[number].astext, Double) - value
        for number, value in enumerate(embedding)
    )
    return func.sqrt(sum(part * part for part in parts)).label("distance")


def _neighbour(row: AnyRow) -> Neighbour:
    told = row._mapping
    values = {
        name: told[name] for name in Neighbour.__dataclass_fields__ if name != "outcome"
    }
    return Neighbour(**values, outcome=as_outcome(told[OutcomeRow]))
