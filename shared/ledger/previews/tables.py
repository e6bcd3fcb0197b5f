"""Previews and their outlines."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column


class PreviewRow(Table):
    """A previewed image that is kept until `expires_at`: de-identified like a case's image.

    The columns are those of a case, so that a case can be made of it. When the row is deleted, its
    object counts as released.
    """

    __tablename__ = "previews"
    id: Mapped[UUID] = id_column()
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    image_sha256: Mapped[str]
    image_bytes: Mapped[int] = mapped_column(BigInteger)
    image_format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    frame: Mapped[int | None]
    device: Mapped[str | None]
    source: Mapped[str]
    text_policy: Mapped[str]
    removed: Mapped[dict[str, Any]]
    findings: Mapped[list[Any]]
    created_at: Mapped[datetime] = timestamp_column()
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("previews_kept", "hospital_id", "expires_at"),
        Index("previews_expiring", "expires_at"),
        Index("previews_of_image", "image_sha256"),
    )


class PreviewOutlineRow(Table):
    """The outlines of a preview: of what a prompt marks, or of all that SERA finds if `prompt` is
    NULL.

    A worker draws them. If it cannot, `reason` is the code of the reason.
    """

    __tablename__ = "preview_outlines"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    preview_id: Mapped[UUID] = mapped_column(
        ForeignKey("previews.id", ondelete="CASCADE")
    )
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    prompt: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """A box, a polygon or a point, in pixels of the upright image."""
    prompt_sha256: Mapped[str | None]
    """Of the prompt's JSON text, which may be too long for an index."""
    requested_at: Mapped[datetime] = timestamp_column()
    attempts: Mapped[int] = mapped_column(server_default="0")
    taken_until: Mapped[datetime | None]
    """The end of the lease of the worker that draws them."""
    made_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    model_digest: Mapped[str | None]
    source: Mapped[str | None]
    outlines: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Objects with `polygon` and `probability`, the likeliest first."""

    __table_args__ = (
        Index(
            "preview_outlines_once",
            "preview_id",
            "prompt_sha256",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "preview_outlines_waiting",
            "hospital_id",
            "requested_at",
            postgresql_where=text("made_at IS NULL"),
        ),
    )
