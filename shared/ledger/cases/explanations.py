"""Explanations asked for and made: one for each result, of one or more maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.cases.repository import check_kept
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import (
    CaseRow,
    ExplanationMapRow,
    ExplanationRow,
    JobRow,
    ResultRow,
)

FRESH = {"populate_existing": True}
LEASE = timedelta(minutes=2)
"""After so long without a word a worker counts as gone, and another may begin anew."""


@dataclass(frozen=True)
class ExplanationMap:
    """A map: where its picture lies, and all that is told of it."""

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
    """An explanation to be made, with what it needs."""

    job_id: UUID
    model_digest: str
    hospital_id: UUID
    image_sha256: str
    roi: dict[str, Any] | None
    frame: int | None


class Explanations(HospitalRepository):
    def request(self, case_id: UUID) -> Explanation | None:
        """The explanation of the case's newest result, put on the list if it is new; None without a result."""
        newest = (
            select(ResultRow)
            .join(JobRow, JobRow.id == ResultRow.job_id)
            .where(JobRow.case_id == case_id)
        )
        result = self._session.scalar(
            self._restrict_to_hospital(newest, ResultRow).order_by(ResultRow.created_at.desc()).limit(1)
        )
        if result is None:
            return None
        place = result.job_id, result.model_digest
        row = self._session.get(ExplanationRow, place) or self._add(case_id, *place)
        return Explanation(
            row.job_id, row.model_digest, row.png_sha256, row.reason, self._maps(row)
        )

    def _maps(self, row: ExplanationRow) -> tuple[ExplanationMap, ...]:
        """In their order; none while they are being made."""
        if row.made_at is None:
            return ()
        this = (
            ExplanationMapRow.job_id == row.job_id,
            ExplanationMapRow.model_digest == row.model_digest,
        )
        query = self._restrict_to_hospital(select(ExplanationMapRow), ExplanationMapRow).where(*this)
        found = self._session.scalars(query.order_by(ExplanationMapRow.number))
        return tuple(ExplanationMap(each.heat_sha256, each.facts) for each in found)

    def _add(self, case_id: UUID, job_id: UUID, model_digest: str) -> ExplanationRow:
        """Under the case's lock, so that none is asked for of a case that is being erased (CaseErased)."""
        case = self._restrict_to_hospital(select(CaseRow), CaseRow).where(CaseRow.id == case_id)
        check_kept(
            self._session.scalars(
                case.with_for_update(read=True), execution_options=FRESH
            ).one()
        )
        wanted = {
            "job_id": job_id,
            "model_digest": model_digest,
            "hospital_id": self._hospital,
        }
        self._session.execute(
            insert(ExplanationRow).values(wanted).on_conflict_do_nothing()
        )
        return self._session.get_one(ExplanationRow, (job_id, model_digest))


class ExplanationQueue:
    """The worker's side: the oldest one wanted, then its answer. No transaction is open while it is being made, so
    that an erasure need not wait for it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next(self) -> ExplanationRequest | None:
        """The oldest wanted explanation that no worker is at; taken for a `LEASE`."""
        asked = (
            ExplanationRow.job_id,
            ExplanationRow.model_digest,
            ExplanationRow.hospital_id,
        )
        free = or_(
            ExplanationRow.taken_until.is_(None),
            ExplanationRow.taken_until < func.clock_timestamp(),
        )
        query = (
            select(*asked, CaseRow.image_sha256, CaseRow.roi, CaseRow.frame)
            .join(JobRow, JobRow.id == ExplanationRow.job_id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(ExplanationRow.made_at.is_(None), free)
            .order_by(ExplanationRow.requested_at)
            .limit(1)
            .with_for_update(of=ExplanationRow, skip_locked=True)
        )
        row = self._session.execute(query).first()
        wanted = ExplanationRequest(**row._mapping) if row else None
        if wanted:
            self.renew(wanted)
        return wanted

    def renew(self, wanted: ExplanationRequest) -> None:
        """The worker is at it still."""
        self._set(wanted, taken_until=func.clock_timestamp() + LEASE)

    def release(self, wanted: ExplanationRequest) -> None:
        """It stays on the list, for whoever comes next."""
        self._set(wanted, taken_until=None)

    def still(self, wanted: ExplanationRequest) -> bool:
        """Whether it is wanted and not made yet; locked until the transaction ends, so that it stays so."""
        query = select(ExplanationRow.job_id).where(
            *_this(wanted), ExplanationRow.made_at.is_(None)
        )
        return self._session.scalar(query.with_for_update()) is not None

    def answer(
        self,
        wanted: ExplanationRequest,
        png_sha256: str | None,
        reason: str | None,
        maps: Sequence[ExplanationMap] = (),
    ) -> None:
        self._set(
            wanted,
            png_sha256=png_sha256,
            reason=reason,
            made_at=func.clock_timestamp(),
            taken_until=None,
        )
        ids = {
            "job_id": wanted.job_id,
            "model_digest": wanted.model_digest,
            "hospital_id": wanted.hospital_id,
        }
        for number, each in enumerate(maps):
            row = ExplanationMapRow(
                **ids, number=number, heat_sha256=each.heat_sha256, facts=each.facts
            )
            self._session.add(row)

    def _set(self, wanted: ExplanationRequest, **values: Any) -> None:
        self._session.execute(
            update(ExplanationRow).where(*_this(wanted)).values(values)
        )


def _this(wanted: ExplanationRequest) -> tuple[ColumnElement[bool], ...]:
    return (
        ExplanationRow.job_id == wanted.job_id,
        ExplanationRow.model_digest == wanted.model_digest,
    )
