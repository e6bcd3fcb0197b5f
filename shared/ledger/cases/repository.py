"""Cases: an image, a size, perhaps an ROI; or what stays of an erased one."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.domain.erasure import Ground
from shared.domain.image_source import Source
from shared.errors import Gone
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import CaseRow, JobRow


class CaseErased(Gone):
    """What stays of a case, as an error for who asks for more."""

    code = "case-erased"
    text = (
        "The case was erased on {on} ({ground}); nothing of it is kept but this. If the image has to be read again, "
        "submit it as a new case."
    )

    def __init__(self, case_id: UUID, erased_at: datetime, ground: Ground) -> None:
        super().__init__(on=f"{erased_at:%Y-%m-%d}", ground=ground)
        self.case_id = case_id
        self.erased_at = erased_at
        self.ground = ground

    @classmethod
    def of(cls, row: CaseRow) -> "CaseErased | None":
        """None for a case that is kept."""
        if row.erased_at is None:
            return None
        return cls(row.id, row.erased_at, Ground(str(row.erased_for)))


def check_kept(row: CaseRow) -> None:
    """Raises CaseErased."""
    erased = CaseErased.of(row)
    if erased is not None:
        raise erased


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
    """Of a loop, counted from 1; None for the middle one."""
    device: str | None = None
    """Make and model of the scanner, where the file says so."""
    removed: dict[str, int] | None = None
    """What cleaning took out of the image, by its name in the standard; never a value."""
    duplicate_of: UUID | None = None
    """The hospital's first case of the same content."""
    source: Source = Source.FILE
    batch: str | None = None
    """The hospital's own label for what it sent together."""
    descriptors: dict[str, Any] | None = None
    """What the reader saw, in the lexicon's terms (`shared.guidelines.describe`)."""


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

    def first_of(self, case: NewCase) -> UUID | None:
        """The first case with this image, size, ROI and frame; number, priority, name and descriptors do not count."""
        roi = literal(json.dumps(case.roi), String).cast(JSONB)
        same = (
            CaseRow.image_sha256 == case.image_sha256,
            CaseRow.size_mm == case.size_mm,
            CaseRow.erased_at.is_(None),
            CaseRow.frame.is_not_distinct_from(case.frame),
            func.coalesce(CaseRow.roi, text("'null'::jsonb")) == roi,
        )
        query = self._restrict_to_hospital(select(CaseRow.id), CaseRow).where(*same)
        return self._session.scalar(
            query.order_by(CaseRow.created_at, CaseRow.id).limit(1)
        )

    def find(self, case_id: UUID) -> Case | None:
        """Raises CaseErased."""
        row = self._session.scalar(
            self._restrict_to_hospital(select(CaseRow), CaseRow).where(CaseRow.id == case_id)
        )
        if row is None:
            return None
        check_kept(row)
        return Case(**{name: getattr(row, name) for name in Case.__dataclass_fields__})

    def jobs_of(self, case_id: UUID) -> list[UUID]:
        query = (
            self._restrict_to_hospital(select(JobRow.id), JobRow)
            .where(JobRow.case_id == case_id)
            .order_by(JobRow.created_at)
        )
        return list(self._session.scalars(query))
