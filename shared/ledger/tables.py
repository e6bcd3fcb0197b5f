"""The tables. Times are the database's own, so that no worker's clock matters."""

from datetime import date, datetime
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
    target_sensitivity: Mapped[float | None]
    refer_alpha: Mapped[float | None]
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
    device: Mapped[str | None]
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
        Index("jobs_failed", "created_at", postgresql_where=text("state = 'failed'")),
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


class OutcomeRow(Table):
    """What a case turned out to be. Append-only: a correction is a new row, and the last one counts."""

    __tablename__ = "outcomes"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    malignant: Mapped[bool]
    source: Mapped[str]
    determined_on: Mapped[date | None]
    patient: Mapped[str | None]
    consent: Mapped[bool]
    actor: Mapped[str]
    recorded_at: Mapped[datetime] = _moment()

    __table_args__ = (Index("outcomes_of_case", "case_id", "id"), Index("outcomes_of_hospital", "hospital_id", "id"))


class SecretRow(Table):
    """A secret of this installation, drawn when it is first needed; it never leaves the ledger."""

    __tablename__ = "secrets"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
    created_at: Mapped[datetime] = _moment()


class DatasetRow(Table):
    """A growing set of labelled images; what is trained on is a frozen version of it."""

    __tablename__ = "datasets"
    id: Mapped[UUID] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = _moment()


class Labelled:
    """Columns of a labelled image. `patient` is a hash: it groups images and names nobody."""

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
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    """Where the image came in as a case and its label as the case's outcome."""
    added_at: Mapped[datetime] = _moment()

    __table_args__ = (
        Index("dataset_images_of_case", "dataset_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
    )


class VersionRow(Table):
    """A dataset as it was when it was frozen. Append-only, as are its images."""

    __tablename__ = "dataset_versions"
    id: Mapped[UUID] = _id()
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    fingerprint: Mapped[str]
    images: Mapped[int]
    malignant: Mapped[int]
    test_images: Mapped[int]
    actor: Mapped[str]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (
        UniqueConstraint("dataset_id", "number", name="dataset_versions_number"),
        UniqueConstraint("dataset_id", "fingerprint", name="dataset_versions_once"),
    )


class VersionImageRow(Labelled, Table):
    __tablename__ = "version_images"
    version_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_versions.id"), primary_key=True)

    __table_args__ = (
        Index("version_images_locked", "image_sha256", postgresql_where=text("split = 'test'")),
        Index("version_images_patient", "patient", "site", postgresql_where=text("patient IS NOT NULL")),
    )


class TrainingRunRow(Table):
    """A run is a row; its work is in its steps."""

    __tablename__ = "training_runs"
    id: Mapped[UUID] = _id()
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset_versions.id"))
    """None only in runs of before datasets had versions."""
    recipe: Mapped[str]
    folds: Mapped[int | None]
    """In place of the recipe's own number."""
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default="queued")
    resumed: Mapped[int] = mapped_column(server_default="0")
    stage: Mapped[str | None]
    fraction: Mapped[float] = mapped_column(server_default="0")
    metrics: Mapped[dict[str, Any] | None]
    model_digest: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[str | None]
    created_at: Mapped[datetime] = _moment()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('queued','running','done','failed','cancelled')", name="training_runs_state"),
    )


class RunStepRow(Table):
    """A piece of a run that one trainer does at a time, under a lease. It waits for the steps in `after`."""

    __tablename__ = "run_steps"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    after: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    weight: Mapped[float] = mapped_column(server_default="1")
    state: Mapped[str] = mapped_column(server_default="waiting")
    fraction: Mapped[float] = mapped_column(server_default="0")
    message: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    owner: Mapped[str | None]
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    available_at: Mapped[datetime] = _moment()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("state IN ('waiting','running','done','failed')", name="run_steps_state"),
        Index("run_steps_open", "run_id", "place", postgresql_where=text("state IN ('waiting','running')")),
    )


class RunEventRow(Table):
    """What a run said of itself, in order: progress, and figures of each epoch."""

    __tablename__ = "run_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"))
    at: Mapped[datetime] = _moment()
    step: Mapped[str]
    stage: Mapped[str]
    fraction: Mapped[float]
    message: Mapped[str]
    metrics: Mapped[dict[str, Any]]

    __table_args__ = (Index("run_events_of_run", "run_id", "id"),)


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
    reference: Mapped[dict[str, Any] | None]
    """Quantiles of the training images' scores and embedding, to measure drift against."""
    card: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (UniqueConstraint("name", "version", name="models_version"),)


class GateRow(Table):
    """A candidate judged against what was live, on a locked test set. Append-only."""

    __tablename__ = "gates"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    live_digest: Mapped[str | None] = mapped_column(ForeignKey("models.digest"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset_versions.id"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("training_runs.id"))
    verdict: Mapped[str]
    reasons: Mapped[list[Any]]
    figures: Mapped[dict[str, Any]]
    policy: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (Index("gates_of_model", "model_digest", "id"),)


class PromotionRow(Table):
    """Append-only; the live model is the last row's."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    kind: Mapped[str] = mapped_column(server_default="promote")
    gate_id: Mapped[int | None] = mapped_column(ForeignKey("gates.id"))
    actor: Mapped[str]
    reason: Mapped[str | None]
    at: Mapped[datetime] = _moment()

    __table_args__ = (CheckConstraint("kind IN ('promote','rollback')", name="promotions_kind"),)


class ServingRow(Table):
    """What each worker serves, and what it refused to serve."""

    __tablename__ = "serving"
    worker: Mapped[str] = mapped_column(primary_key=True)
    model_digest: Mapped[str | None]
    since: Mapped[datetime | None]
    refused_digest: Mapped[str | None]
    refused_code: Mapped[str | None]
    refused_message: Mapped[str | None]
    seen_at: Mapped[datetime] = _moment()


class ShadowRow(Table):
    """A candidate that reads live traffic beside the live model; at most one has not ended."""

    __tablename__ = "shadows"
    id: Mapped[UUID] = _id()
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    share: Mapped[float] = mapped_column(server_default="1")
    actor: Mapped[str]
    started_at: Mapped[datetime] = _moment()
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]

    __table_args__ = (
        Index("shadows_one", text("(ended_at IS NULL)"), unique=True, postgresql_where=text("ended_at IS NULL")),
    )


class ShadowResultRow(Table):
    """What a shadow said of a job, beside what the live model said; `reason` where it could not read it."""

    __tablename__ = "shadow_results"
    shadow_id: Mapped[UUID] = mapped_column(ForeignKey("shadows.id"), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    live_digest: Mapped[str]
    live_score: Mapped[float]
    live_risk: Mapped[float]
    live_decision: Mapped[str]
    score: Mapped[float | None]
    risk: Mapped[float | None]
    decision: Mapped[str | None]
    reason: Mapped[str | None]
    made_at: Mapped[datetime] = _moment()


class ObservationRow(Table):
    """What monitoring needs of a result; written with it."""

    __tablename__ = "observations"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    model_digest: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    device: Mapped[str | None]
    score: Mapped[float]
    risk: Mapped[float]
    decision: Mapped[str]
    cutoff: Mapped[float]
    strangeness: Mapped[float | None]
    embedding: Mapped[list[Any] | None]
    """Along the training images' first principal directions, in standard deviations."""
    benign_p: Mapped[float | None]
    malignant_p: Mapped[float | None]
    """Conformal p-values of the two classes."""
    warnings: Mapped[list[Any]]
    created_at: Mapped[datetime] = _moment()

    __table_args__ = (
        Index("observations_made", "created_at"),
        Index("observations_of_hospital", "hospital_id", "created_at"),
        Index("observations_of_model", "model_digest", "created_at"),
    )
