"""Explanations asked for and made: one for each result."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.cases import check_kept
from shared.ledger.scope import Scoped
from shared.ledger.tables import CaseRow, ExplanationRow, JobRow, ResultRow

FRESH = {"populate_existing": True}


@dataclass(frozen=True)
class Explanation:
    job_id: UUID
    model_digest: str
    png_sha256: str | None
    reason: str | None


@dataclass(frozen=True)
class Wanted:
    """An explanation to be made, with what it needs."""

    job_id: UUID
    model_digest: str
    image_sha256: str
    roi: dict[str, Any] | None
    frame: int | None


class Explanations(Scoped):
    def ask(self, case_id: UUID) -> Explanation | None:
        """The explanation of the case's newest result, put on the list if it is new; None without a result."""
        newest = select(ResultRow).join(JobRow, JobRow.id == ResultRow.job_id).where(JobRow.case_id == case_id)
        result = self._session.scalar(self._mine(newest, ResultRow).order_by(ResultRow.created_at.desc()).limit(1))
        if result is None:
            return None
        place = result.job_id, result.model_digest
        row = self._session.get(ExplanationRow, place) or self._add(case_id, *place)
        return Explanation(row.job_id, row.model_digest, row.png_sha256, row.reason)

    def _add(self, case_id: UUID, job_id: UUID, model_digest: str) -> ExplanationRow:
        """Under the case's lock, so that none is asked for of a case that is being erased (CaseErased)."""
        case = self._mine(select(CaseRow), CaseRow).where(CaseRow.id == case_id)
        check_kept(self._session.scalars(case.with_for_update(read=True), execution_options=FRESH).one())
        wanted = {"job_id": job_id, "model_digest": model_digest, "hospital_id": self._hospital}
        self._session.execute(insert(ExplanationRow).values(wanted).on_conflict_do_nothing())
        return self._session.get_one(ExplanationRow, (job_id, model_digest))


class ExplanationQueue:
    """The worker's side: the oldest one wanted, then its answer."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next(self) -> Wanted | None:
        """Lock and return the oldest wanted explanation; held until the transaction ends."""
        query = (
            select(ExplanationRow.job_id, ExplanationRow.model_digest, CaseRow.image_sha256, CaseRow.roi, CaseRow.frame)
            .join(JobRow, JobRow.id == ExplanationRow.job_id)
            .join(CaseRow, CaseRow.id == JobRow.case_id)
            .where(ExplanationRow.made_at.is_(None))
            .order_by(ExplanationRow.requested_at)
            .limit(1)
            .with_for_update(of=ExplanationRow, skip_locked=True)
        )
        row = self._session.execute(query).first()
        return Wanted(**row._mapping) if row else None

    def answer(self, wanted: Wanted, png_sha256: str | None, reason: str | None) -> None:
        this = (ExplanationRow.job_id == wanted.job_id, ExplanationRow.model_digest == wanted.model_digest)
        values = {"png_sha256": png_sha256, "reason": reason, "made_at": func.clock_timestamp()}
        self._session.execute(update(ExplanationRow).where(*this).values(values))
