"""The tables. Times are the database's own, so that no worker's clock matters."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NOW = text("clock_timestamp()")


class Table(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own convention)
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        str: String,
    }


def _id() -> Mapped[UUID]:
    return mapped_column(primary_key=True, default=uuid4)


def _moment() -> Mapped[datetime]:
    return mapped_column(server_default=NOW)


class HospitalRow(Table):
    __tablename__ = "hospitals"
    id: Mapped[UUID] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    prevalence: Mapped[float | None]
    fna_rule: Mapped[str | None]
    created_at: Mapped[datetime] = _moment()


class KeyRow(Table):
    """An API key: only the hash of its secret is here."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    role: Mapped[str]
    label: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = _moment()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class CaseRow(Table):
    __tablename__ = "cases"
    id: Mapped[UUID] = _id()
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    image_sha256: Mapped[str]
    image_bytes: Mapped[int] = mapped_column(BigInteger)
    image_format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size_mm: Mapped[float]
    frame: Mapped[int | None]
    roi: Mapped[dict[str, Any] | None]
    external_id: Mapped[str | None]
    created_at: Mapped[datetime] = _moment()


class JobRow(Table):
    """One piece of work; the row is the truth, a broker message only a ring."""

    __tablename__ = "jobs"
    id: Mapped[UUID] = _id()
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    state: Mapped[str] = mapped_column(server_default="queued")
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = _moment()
    queued_at: Mapped[datetime] = _moment()
    available_at: Mapped[datetime] = _moment()
    updated_at: Mapped[datetime] = _moment()
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[UUID | None]
    worker: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("state IN ('queued','running','done','failed','cancelled')", name="jobs_state"),
        Index(
            "jobs_waiting",
            "hospital_id",
            text("urgent DESC"),
            "queued_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("jobs_suspect", "queued_at", postgresql_where=text("state = 'queued' AND attempts > 0")),
        Index("jobs_leased", "lease_until", "hospital_id", postgresql_where=text("state = 'running'")),
        Index("jobs_listed", "hospital_id", text("created_at DESC"), text("id DESC")),
        Index("jobs_of_case", "case_id"),
    )


class ResultRow(Table):
    __tablename__ = "results"
    id: Mapped[UUID] = _id()
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    model_digest: Mapped[str]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (
        UniqueConstraint("job_id", "model_digest", name="results_once"),
        Index("results_newest", text("created_at DESC")),
    )


class ExplanationRow(Table):
    """A heatmap of one result, made on demand; the PNG lies in the object store."""

    __tablename__ = "explanations"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    model_digest: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    png_sha256: Mapped[str | None]
    reason: Mapped[str | None]
    requested_at: Mapped[datetime] = _moment()
    made_at: Mapped[datetime | None]


class ReceiptRow(Table):
    """What was answered to an Idempotency-Key."""

    __tablename__ = "receipts"
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = _moment()


class AuditRow(Table):
    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = _moment()
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    actor: Mapped[str]
    event: Mapped[str]
    case_id: Mapped[UUID | None]
    job_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (Index("audit_of_hospital", "hospital_id", "id"),)


class DatasetRow(Table):
    __tablename__ = "datasets"
    id: Mapped[UUID] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = _moment()


class DatasetImageRow(Table):
    """A labelled image. `patient` is a keyed hash: it groups images and names nobody."""

    __tablename__ = "dataset_images"
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    image_sha256: Mapped[str] = mapped_column(primary_key=True)
    malignant: Mapped[bool]
    split: Mapped[str]
    roi: Mapped[dict[str, Any] | None]
    mask_sha256: Mapped[str | None]
    patient: Mapped[str | None]
    site: Mapped[str | None]
    size_mm: Mapped[float | None]
    tirads: Mapped[str | None]
    added_at: Mapped[datetime] = _moment()


class TrainingRunRow(Table):
    __tablename__ = "training_runs"
    id: Mapped[UUID] = _id()
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    recipe: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    stage: Mapped[str | None]
    fraction: Mapped[float] = mapped_column(server_default="0")
    metrics: Mapped[dict[str, Any] | None]
    model_digest: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[UUID | None]
    created_at: Mapped[datetime] = _moment()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('queued','running','done','failed','cancelled')", name="training_runs_state"),
    )


class ModelRow(Table):
    """A stored bundle; `digest` is the sha256 of its manifest, under which the object store holds it."""

    __tablename__ = "models"
    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    recipe: Mapped[str]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("training_runs.id"))
    synthetic: Mapped[bool]
    metrics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (UniqueConstraint("name", "version", name="models_version"),)


class PromotionRow(Table):
    """Append-only; the live model is the last row's."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    actor: Mapped[str]
    reason: Mapped[str | None]
    at: Mapped[datetime] = _moment()
