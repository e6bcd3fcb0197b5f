"""A hospital's kept previews, and the outlines that it asks of them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.domain.jobs import Reason
from shared.ledger.cases.stored_image import StoredImage
from shared.ledger.previews.outline_queue import (
    IS_LOST,
    IS_WAITING,
    Outline,
)
from shared.ledger.scope import HospitalRepository
from shared.ledger.tables import PreviewOutlineRow, PreviewRow

PromptText = str
"""JSON of a box, a polygon or a point in pixels of the upright image; equal ones have equal text."""
NOW = func.clock_timestamp()
IS_KEPT = PreviewRow.expires_at > NOW


@dataclass(frozen=True, kw_only=True)
class NewPreview(StoredImage):
    """An image to be kept.

    Attributes
    ----------
    frame : the chosen frame of a loop, from 1; None for the middle one
    source : an `ImageSource`
    text_policy : the `TextPolicy` that the image was cleaned by
    """

    frame: int | None
    source: str
    text_policy: str


@dataclass(frozen=True)
class KeptPreview:
    """A preview and when it is erased."""

    id: UUID
    expires_at: datetime


@dataclass(frozen=True)
class PreviewUsage:
    """What a hospital's kept previews take.

    `frees_in_s` is the time until the first of them expires.
    """

    count: int
    bytes: int
    frees_in_s: float


@dataclass(frozen=True)
class PreviewOutlines:
    """The answer to a request for outlines.

    It is unfinished unless `is_made`. If there is a `reason`, it is a code that says why there are
    no outlines.
    """

    is_made: bool
    reason: str | None = None
    model_digest: str | None = None
    source: str | None = None
    outlines: Sequence[Outline] = ()


@dataclass(frozen=True)
class OutlineUsage:
    """Requests for outlines: of one preview, and of all previews of the hospital that wait."""

    of_preview: int
    waiting: int


class Previews(HospitalRepository):
    def usage(self) -> PreviewUsage:
        frees_in = func.extract("epoch", func.min(PreviewRow.expires_at) - NOW)
        query = select(
            func.count(),
            func.coalesce(func.sum(PreviewRow.image_bytes), 0),
            func.coalesce(frees_in, 0),
        ).where(IS_KEPT)
        query = self._restrict_to_hospital(query, PreviewRow)
        count, size, frees_in_s = self._session.execute(query).one()
        return PreviewUsage(count=count, bytes=int(size), frees_in_s=float(frees_in_s))

    def keep(self, preview: NewPreview, duration: timedelta) -> KeptPreview:
        """Keep a preview for a time. Its object must be held by the transaction."""
        row = PreviewRow(
            hospital_id=self._hospital, expires_at=NOW + duration, **asdict(preview)
        )
        self._session.add(row)
        self._session.flush()
        return KeptPreview(id=row.id, expires_at=row.expires_at)

    def erase(self, preview_id: UUID) -> None:
        """Erase a preview of the hospital with its outlines; its object counts as released."""
        statement = delete(PreviewRow).where(
            PreviewRow.id == preview_id, PreviewRow.hospital_id == self._hospital
        )
        self._session.execute(statement)

    def is_kept(self, preview_id: UUID) -> bool:
        """Whether the hospital has this preview and it has not expired."""
        query = select(PreviewRow.id).where(PreviewRow.id == preview_id, IS_KEPT)
        query = self._restrict_to_hospital(query, PreviewRow)
        return self._session.scalar(query) is not None

    def find(self, preview_id: UUID) -> NewPreview | None:
        """Return the hospital's preview; None if there is none, or it has expired."""
        query = select(PreviewRow).where(PreviewRow.id == preview_id, IS_KEPT)
        query = self._restrict_to_hospital(query, PreviewRow)
        row = self._session.scalar(query)
        if row is None:
            return None
        columns = [column.name for column in fields(NewPreview)]
        return NewPreview(**{name: getattr(row, name) for name in columns})

    def outlines(
        self, preview_id: UUID, prompt: PromptText | None
    ) -> PreviewOutlines | None:
        """Return what became of a request for outlines; None if there was no such request."""
        is_lost = case((IS_LOST, True), else_=False)
        query = select(PreviewOutlineRow, is_lost).where(
            PreviewOutlineRow.preview_id == preview_id,
            PreviewOutlineRow.prompt_sha256.is_not_distinct_from(_sha256(prompt)),
        )
        query = self._restrict_to_hospital(query, PreviewOutlineRow)
        result = self._session.execute(query).first()
        if result is None:
            return None
        row, was_lost = result
        if was_lost:
            return PreviewOutlines(is_made=True, reason=Reason.WORKER_LOST)
        return PreviewOutlines(
            is_made=row.made_at is not None,
            reason=row.reason,
            model_digest=row.model_digest,
            source=row.source,
            outlines=tuple(Outline(**outline) for outline in row.outlines or ()),
        )

    def outline_usage(self, preview_id: UUID) -> OutlineUsage:
        of_preview = select(func.count()).where(
            PreviewOutlineRow.preview_id == preview_id
        )
        waiting = select(func.count()).where(IS_WAITING)
        return OutlineUsage(
            of_preview=self._count(of_preview), waiting=self._count(waiting)
        )

    def request_outlines(self, preview_id: UUID, prompt: PromptText | None) -> None:
        """Queue a request for outlines, unless there is the same one."""
        statement = (
            insert(PreviewOutlineRow)
            .values(
                preview_id=preview_id,
                hospital_id=self._hospital,
                prompt=None if prompt is None else json.loads(prompt),
                prompt_sha256=_sha256(prompt),
            )
            .on_conflict_do_nothing()
        )
        self._session.execute(statement)

    def _count(self, query: Select[int]) -> int:
        query = self._restrict_to_hospital(query, PreviewOutlineRow)
        return self._session.scalars(query).one()


def _sha256(prompt: PromptText | None) -> str | None:
    return None if prompt is None else hashlib.sha256(prompt.encode()).hexdigest()
