"""Cases: an image, the size of a nodule, optionally an ROI; or the tombstone of an erased case."""

import json
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.domain.erasure import ErasureReason
from shared.domain.image_source import ImageSource
from shared.errors import Gone
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, JobRow


class CaseErased(Gone):
    """The tombstone of a case, raised when a caller requests more than the tombstone."""

    code = "case-erased"
    text = (
        "The case was erased on {on} ({ground}); nothing of it is kept but this. If the image has "
        "to be read again, submit it as a new case."
    )

    def __init__(
        self, case_id: UUID, erased_at: datetime, reason: ErasureReason
    ) -> None:
        super().__init__(on=f"{erased_at:%Y-%m-%d}", ground=reason)
        self.case_id = case_id
        self.erased_at = erased_at
        self.reason = reason

    @classmethod
    def from_row(cls, row: CaseRow) -> "CaseErased | None":
        """Return the tombstone of a row; None if the case is not erased."""
        if row.erased_at is None:
            return None
        reason = ErasureReason(str(row.erased_for))
        return cls(case_id=row.id, erased_at=row.erased_at, reason=reason)


def check_not_erased(row: CaseRow) -> None:
    """Raises CaseErased."""
    tombstone = CaseErased.from_row(row)
    if tombstone is not None:
        raise tombstone


@dataclass(frozen=True)
class NewCase:
    image_sha256: str
    image_bytes: int
    image_format: str
    width: int
    height: int
    size_mm: float
    roi: dict[str, Any] | None
    external_id: str | None
    frame: int | None = None
    """The frame of a cine loop, counted from 1; None for the middle one."""
    device: str | None = None
    """Make and model of the scanner, if the file names them."""
    removed: dict[str, int] | None = None
    """Counts of the elements that cleaning removed from the image, by their standard names.
    Never a value."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    """What the cleaned image no longer shows about the original; each from `Finding.to_json`."""
    duplicate_of: UUID | None = None
    """The hospital's first case of the same content."""
    source: ImageSource = ImageSource.FILE
    batch: str | None = None
    """The hospital's own label for cases that it sent together."""
    descriptors: dict[str, Any] | None = None
    """The user's description of the nodule, in the lexicon's terms (`shared.guidelines.describe`).
    """


@dataclass(frozen=True, kw_only=True)
class Case(NewCase):
    id: UUID
    created_at: datetime


class Cases(HospitalRepository):
    def add(self, case: NewCase) -> UUID:
        row = CaseRow(hospital_id=self._hospital, **vars(case))
        self._session.add(row)
        self._session.flush()
        return row.id

    def find_first_identical(self, case: NewCase) -> UUID | None:
        """Return the first case with the same image, size, ROI and frame; None if there is none.

        Number, priority, name and descriptors may differ.
        """
        roi = literal(json.dumps(case.roi), String).cast(JSONB)
        query = (
            select(CaseRow.id)
            .where(
                CaseRow.image_sha256 == case.image_sha256,
                CaseRow.size_mm == case.size_mm,
                CaseRow.erased_at.is_(None),
                CaseRow.frame.is_not_distinct_from(case.frame),
                func.coalesce(CaseRow.roi, text("'null'::jsonb")) == roi,
            )
            .order_by(CaseRow.created_at, CaseRow.id)
            .limit(1)
        )
        return self._session.scalar(self._restrict_to_hospital(query, CaseRow))

    def find(self, case_id: UUID) -> Case | None:
        """Raises CaseErased."""
        query = select(CaseRow).where(CaseRow.id == case_id)
        row = self._session.scalar(self._restrict_to_hospital(query, CaseRow))
        if row is None:
            return None
        return case_from_row(row)

    def job_ids(self, case_id: UUID) -> list[UUID]:
        """Oldest first."""
        query = (
            select(JobRow.id)
            .where(JobRow.case_id == case_id)
            .order_by(JobRow.created_at)
        )
        return list(self._session.scalars(self._restrict_to_hospital(query, JobRow)))


def case_from_row(row: CaseRow) -> Case:
    """Raises CaseErased."""
    check_not_erased(row)
    values = {column.name: getattr(row, column.name) for column in fields(Case)}
    return Case(**values)
