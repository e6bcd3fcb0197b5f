"""Explanations of results: requested by a hospital, computed by a worker, with one or more maps
each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.cases.repository import check_not_erased
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    CaseRow,
    ExplanationMapRow,
    ExplanationRow,
    JobRow,
    ResultRow,
)

RELOAD = {"populate_existing": True}
LEASE = timedelta(minutes=2)
"""If a worker does not renew its lease within this time, another worker may claim the explanation.
"""


@dataclass(frozen=True)
class ExplanationMap:
    """A map: the hash of its picture in the object store, and the facts about it."""

    heat_sha256: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    job_id: UUID
    model_digest: str
    png_sha256: str | None
    reason: str | None
    maps: tuple[ExplanationMap, ...] = ()


@dataclass(frozen=True)
class ExplanationRequest:
    """A requested explanation with its inputs."""

    job_id: UUID
    model_digest: str
    hospital_id: UUID
    image_sha256: str
    roi: dict[str, Any] | None
    frame: int | None


class Explanations(HospitalRepository):
    def request(self, case_id: UUID) -> Explanation | None:
        """Return the explanation of the case's latest result; None if the case has no result.

        An explanation that does not exist yet is queued. Raises CaseErased.
        """
        query = (
            select(ResultRow)
            .join(JobRow, JobRow.id == ResultRow.job_id)
            .where(JobRow.case_id == case_id)
            .order_by(ResultRow.created_at.desc())
            .limit(1)
        )
        result = self._session.scalar(self._restrict_to_hospital(query, ResultRow))
        if result is None:
            return None
        key = (result.job_id, result.model_digest)
        row = self._session.get(ExplanationRow, key)
        if row is None:
            row = self._add(
                case_id=case_id, job_id=result.job_id, model_digest=result.model_digest
            )
        return Explanation(
            job_id=row.job_id,
            model_digest=row.model_digest,
            png_sha256=row.png_sha256,
            reason=row.reason,
            maps=self._maps(row),
        )

    def _maps(self, row: ExplanationRow) -> tuple[ExplanationMap, ...]:
        """Return the maps in their order. There are none before the explanation is finished."""
        if row.made_at is None:
            return ()
        query = (
            select(ExplanationMapRow)
            .where(
                ExplanationMapRow.job_id == row.job_id,
                ExplanationMapRow.model_digest == row.model_digest,
            )
            .order_by(ExplanationMapRow.number)
        )
        map_rows = self._session.scalars(
            self._restrict_to_hospital(query, ExplanationMapRow)
        )
        return tuple(
            ExplanationMap(heat_sha256=map_row.heat_sha256, facts=map_row.facts)
            for map_row in map_rows
        )

    def _add(self, case_id: UUID, job_id: UUID, model_digest: str) -> ExplanationRow:
        """Queue an explanation under the case's lock, so that no erasure misses it.

        Raises CaseErased.
        """
        query = select(CaseRow).where(CaseRow.id == case_id)
        query = self._restrict_to_hospital(query, CaseRow).with_for_update(read=True)
        case = self._session.scalars(query, execution_options=RELOAD).one()
        check_not_erased(case)
        statement = (
            insert(ExplanationRow)
            .values(
                job_id=job_id, model_digest=model_digest, hospital_id=self._hospital
            )
            .on_conflict_do_nothing()
        )
        self._session.execute(statement)
        return self._session.get_one(ExplanationRow, (job_id, model_digest))


class ExplanationQueue:
    """The queue of requested explanations, from which workers claim.

    No transaction is open while the worker makes the explanation, so that an erasure does not wait
    for it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim_next(self) -> ExplanationRequest | None:
        """Claim the oldest unclaimed request for a `LEASE`; None if there is none."""
        is_unclaimed = or_(
            ExplanationRow.taken_until.is_(None),
            ExplanationRow.taken_until < func.clock_timestamp(),
        )
        query = (
            select(
                ExplanationRow.job_id,
                ExplanationRow.model_digest,
                ExplanationRow.hospital_id,
                CaseRow.image_sha256,
                CaseRow.roi,
                CaseRow.frame,
            )
            .join(JobRow, JobRow.id == ExplanationRow.job_id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(ExplanationRow.made_at.is_(None), is_unclaimed)
            .order_by(ExplanationRow.requested_at)
            .limit(1)
            .with_for_update(of=ExplanationRow, skip_locked=True)
        )
        row = self._session.execute(query).first()
        if row is None:
            return None
        request = ExplanationRequest(**row._mapping)
        self.renew(request)
        return request

    def renew(self, request: ExplanationRequest) -> None:
        """Extend the worker's lease."""
        self._update(request, taken_until=func.clock_timestamp() + LEASE)

    def release(self, request: ExplanationRequest) -> None:
        """End the lease, so that another worker can claim the request."""
        self._update(request, taken_until=None)

    def is_pending(self, request: ExplanationRequest) -> bool:
        """Whether the request exists and is unfinished.

        Lock the request, so that this stays true until the transaction ends.
        """
        query = select(ExplanationRow.job_id).where(
            *_is_request(request), ExplanationRow.made_at.is_(None)
        )
        return self._session.scalar(query.with_for_update()) is not None

    def finish(
        self,
        request: ExplanationRequest,
        png_sha256: str | None,
        reason: str | None,
        maps: Sequence[ExplanationMap] = (),
    ) -> None:
        """Store the finished explanation, or with `reason` why there is none."""
        self._update(
            request,
            png_sha256=png_sha256,
            reason=reason,
            made_at=func.clock_timestamp(),
            taken_until=None,
        )
        for number, explanation_map in enumerate(maps):
            row = ExplanationMapRow(
                job_id=request.job_id,
                model_digest=request.model_digest,
                hospital_id=request.hospital_id,
                number=number,
                heat_sha256=explanation_map.heat_sha256,
                facts=explanation_map.facts,
            )
            self._session.add(row)

    def _update(self, request: ExplanationRequest, **values: object) -> None:
        self._session.execute(
            update(ExplanationRow).where(*_is_request(request)).values(values)
        )


def _is_request(request: ExplanationRequest) -> tuple[ColumnElement[bool], ...]:
    return (
        ExplanationRow.job_id == request.job_id,
        ExplanationRow.model_digest == request.model_digest,
    )
