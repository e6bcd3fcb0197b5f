"""Cases, their jobs, and the results."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column


class CaseRow(Table):
    """A case. Of an erased case only the ids, the dates, the image's hash, and the actor and reason
    of the erasure remain.
    """

    __tablename__ = "cases"
    id: Mapped[UUID] = id_column()
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    image_sha256: Mapped[str]
    image_bytes: Mapped[int | None] = mapped_column(BigInteger)
    image_format: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    size_mm: Mapped[float | None]
    frame: Mapped[int | None]
    roi: Mapped[dict[str, Any] | None]
    external_id: Mapped[str | None]
    device: Mapped[str | None]
    source: Mapped[str | None] = mapped_column(server_default="file")
    """`file`, or `photo` of a screen."""
    removed: Mapped[dict[str, Any] | None]
    """Names and counts of the elements that cleaning removed from the image. None for cases that
    were accepted before images were cleaned."""
    findings: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    """What the cleaned image no longer shows about the original, for the result's warnings."""
    duplicate_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("cases.id", ondelete="SET NULL")
    )
    batch: Mapped[str | None]
    """The hospital's own label for cases that it sent together."""
    descriptors: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The user's description, in the lexicon's terms; NULL if there is none."""
    created_at: Mapped[datetime] = timestamp_column()
    erased_at: Mapped[datetime | None]
    erased_by: Mapped[str | None]
    erased_for: Mapped[str | None]

    __table_args__ = (
        Index(
            "cases_kept",
            "hospital_id",
            "created_at",
            postgresql_where=text("erased_at IS NULL"),
        ),
        Index(
            "cases_of_image", "image_sha256", postgresql_where=text("erased_at IS NULL")
        ),
        Index("cases_same_image", "hospital_id", "image_sha256", "created_at"),
        Index(
            "cases_of_batch",
            "hospital_id",
            "batch",
            postgresql_where=text("batch IS NOT NULL"),
        ),
        Index(
            "cases_numbered",
            "hospital_id",
            "external_id",
            postgresql_ops={"external_id": "text_pattern_ops"},
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index(
            "cases_duplicated",
            "duplicate_of",
            postgresql_where=text("duplicate_of IS NOT NULL"),
        ),
    )


class JobRow(Table):
    """One piece of work. The row is authoritative; a message of the broker only notifies."""

    __tablename__ = "jobs"
    id: Mapped[UUID] = id_column()
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    state: Mapped[str] = mapped_column(server_default="queued")
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = timestamp_column()
    queued_at: Mapped[datetime] = timestamp_column()
    available_at: Mapped[datetime] = timestamp_column()
    updated_at: Mapped[datetime] = timestamp_column()
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[UUID | None]
    worker: Mapped[str | None]
    reason: Mapped[str | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The values for the placeholders in the text of the reason, by name."""
    traceparent: Mapped[str | None]
    """The W3C trace context of the request that submitted the case, if tracing is on."""

    __table_args__ = (
        CheckConstraint(
            "state IN ('queued','running','done','failed','cancelled')",
            name="jobs_state",
        ),
        Index(
            "jobs_waiting",
            "hospital_id",
            text("urgent DESC"),
            "queued_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "jobs_suspect",
            "queued_at",
            postgresql_where=text("state = 'queued' AND attempts > 0"),
        ),
        Index(
            "jobs_leased",
            "lease_until",
            "hospital_id",
            postgresql_where=text("state = 'running'"),
        ),
        Index("jobs_listed", "hospital_id", text("created_at DESC"), text("id DESC")),
        Index(
            "jobs_by_state",
            "hospital_id",
            "state",
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index(
            "jobs_urgent",
            "hospital_id",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=text("urgent"),
        ),
        Index("jobs_of_case", "case_id"),
        Index("jobs_failed", "created_at", postgresql_where=text("state = 'failed'")),
    )


class ResultRow(Table):
    __tablename__ = "results"
    id: Mapped[UUID] = id_column()
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    model_digest: Mapped[str]
    body: Mapped[dict[str, Any]]
    risk: Mapped[float | None] = mapped_column(
        Computed("(body->>'risk')::double precision", persisted=True)
    )
    decision: Mapped[str | None] = mapped_column(
        Computed("body->>'decision'", persisted=True)
    )
    fna: Mapped[bool | None] = mapped_column(
        Computed("(body->'fna'->>'recommended')::boolean", persisted=True)
    )
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        UniqueConstraint("job_id", "model_digest", name="results_once"),
        Index("results_newest", text("created_at DESC")),
        Index("results_told", "hospital_id", "decision", "fna"),
        Index("results_by_risk", "hospital_id", text("risk DESC"), text("job_id DESC")),
    )


class ExplanationRow(Table):
    """An explanation of one result, made on demand. The PNG of its first map is in the store."""

    __tablename__ = "explanations"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    model_digest: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    png_sha256: Mapped[str | None]
    reason: Mapped[str | None]
    requested_at: Mapped[datetime] = timestamp_column()
    taken_until: Mapped[datetime | None]
    """The end of the lease of the worker that computes it."""
    made_at: Mapped[datetime | None]

    __table_args__ = (Index("explanations_png", "png_sha256"),)


class ExplanationMapRow(Table):
    """One map of an explanation; its layer is in the object store."""

    __tablename__ = "explanation_maps"
    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    model_digest: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    heat_sha256: Mapped[str]
    facts: Mapped[dict[str, Any]]

    __table_args__ = (
        ForeignKeyConstraint(
            ["job_id", "model_digest"],
            ["explanations.job_id", "explanations.model_digest"],
        ),
        Index("explanation_maps_heat", "heat_sha256"),
    )


class OrphanedObjectRow(Table):
    """An object that an erasure released. It is removed if no row refers to it."""

    __tablename__ = "orphans"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = timestamp_column()
    removed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("orphans_waiting", "since", postgresql_where=text("removed_at IS NULL")),
    )


class ReceiptRow(Table):
    """The stored response to an Idempotency-Key of a hospital; of the system if the hospital is
    NULL.

    It has no response until its transaction commits. The key of an erased case is stored as a keyed
    hash.
    """

    __tablename__ = "receipts"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    key: Mapped[str]
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
    case_id: Mapped[UUID | None]
    """The case that the response contains."""
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        Index(
            "receipts_once",
            "hospital_id",
            "key",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("receipts_kept", "created_at"),
        Index(
            "receipts_of_case", "case_id", postgresql_where=text("case_id IS NOT NULL")
        ),
    )


class OutcomeRow(Table):
    """The final diagnosis of a case.

    Append-only: a correction is a new row, and the latest row counts.
    """

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
    recorded_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        Index("outcomes_of_case", "case_id", "id"),
        Index("outcomes_of_hospital", "hospital_id", "id"),
    )


class ReaderLevelRow(Table):
    """The suspicion level that a person entered before SERA's answer was shown. Never changed."""

    __tablename__ = "reader_levels"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    guideline: Mapped[str]
    level: Mapped[str]
    descriptors: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        UniqueConstraint("case_id", "person_id", name="reader_levels_once"),
    )


class ObservationRow(Table):
    """The data of a result that monitoring needs, written with the result."""

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
    """Along the first principal directions of the training images, in standard deviations."""
    benign_p: Mapped[float | None]
    malignant_p: Mapped[float | None]
    """Conformal p-values of the two classes."""
    warnings: Mapped[list[Any]]
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        Index("observations_made", "created_at"),
        Index("observations_of_hospital", "hospital_id", "created_at"),
        Index("observations_of_model", "model_digest", "created_at"),
    )
