"""Labelled images in drafts and in frozen versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column


class DatasetRow(Table):
    """A growing set of labelled images. Training uses frozen versions of it."""

    __tablename__ = "datasets"
    id: Mapped[UUID] = id_column()
    name: Mapped[str] = mapped_column(unique=True)
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    revision: Mapped[int] = mapped_column(server_default="0")
    """Counts the changes of the draft."""
    created_at: Mapped[datetime] = timestamp_column()


class Labelled:
    """Columns of a labelled image. `patient` is a pseudonym, which only groups images."""

    image_sha256: Mapped[str] = mapped_column(primary_key=True)
    malignant: Mapped[bool]
    split: Mapped[str]
    roi: Mapped[dict[str, Any] | None]
    mask_sha256: Mapped[str | None]
    frame: Mapped[int | None]
    patient: Mapped[str | None]
    site: Mapped[str | None]
    size_mm: Mapped[float | None]
    tirads: Mapped[str | None]


class DatasetImageRow(Labelled, Table):
    __tablename__ = "dataset_images"
    dataset_id: Mapped[UUID] = mapped_column(
        ForeignKey("datasets.id"), primary_key=True
    )
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    """The case of an image that was submitted as a case, and has its outcome as label."""
    added_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        Index(
            "dataset_images_of_case",
            "dataset_id",
            "case_id",
            postgresql_where=text("case_id IS NOT NULL"),
        ),
    )


class VersionRow(Table):
    """A frozen dataset. Append-only, as are its images."""

    __tablename__ = "dataset_versions"
    id: Mapped[UUID] = id_column()
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    fingerprint: Mapped[str]
    images: Mapped[int]
    malignant: Mapped[int]
    test_images: Mapped[int]
    actor: Mapped[str]
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        UniqueConstraint("dataset_id", "number", name="dataset_versions_number"),
        UniqueConstraint("dataset_id", "fingerprint", name="dataset_versions_once"),
    )


class VersionImageRow(Labelled, Table):
    __tablename__ = "version_images"
    version_id: Mapped[UUID] = mapped_column(
        ForeignKey("dataset_versions.id"), primary_key=True
    )
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))

    __table_args__ = (
        Index(
            "version_images_locked",
            "image_sha256",
            postgresql_where=text("split = 'test'"),
        ),
        Index(
            "version_images_patient",
            "patient",
            "site",
            postgresql_where=text("patient IS NOT NULL"),
        ),
        Index(
            "version_images_of_case",
            "case_id",
            postgresql_where=text("case_id IS NOT NULL"),
        ),
    )


class CleanedFileRow(Table):
    """A file of a dataset that cleaning changed, with names and counts of the removed elements."""

    __tablename__ = "cleanings"
    source_sha256: Mapped[str] = mapped_column(primary_key=True)
    stored_sha256: Mapped[str]
    removed: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = timestamp_column()
