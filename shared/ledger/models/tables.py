"""Models, their gate judgements, and the workers that serve them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column


class ModelRow(Table):
    """A stored bundle. `digest` is the sha256 of its manifest, its key in the object store."""

    __tablename__ = "models"
    digest: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    recipe: Mapped[str]
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("training_runs.id"))
    synthetic: Mapped[bool]
    metrics: Mapped[dict[str, Any]]
    reference: Mapped[dict[str, Any] | None]
    """Quantiles of the training images' scores and embeddings, the reference of drift."""
    card: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (UniqueConstraint("name", "version", name="models_version"),)


class GateJudgementRow(Table):
    """A candidate compared with the live model on a locked test set. Append-only."""

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
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (Index("gates_of_model", "model_digest", "id"),)


class PromotionRow(Table):
    """Append-only; the model of the latest row is live."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    kind: Mapped[str] = mapped_column(server_default="promote")
    gate_id: Mapped[int | None] = mapped_column(ForeignKey("gates.id"))
    actor: Mapped[str]
    reason: Mapped[str | None]
    at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        CheckConstraint("kind IN ('promote','rollback')", name="promotions_kind"),
    )


class ServingRow(Table):
    """The model that each worker serves, and the model that it refused to serve."""

    __tablename__ = "serving"
    worker: Mapped[str] = mapped_column(primary_key=True)
    model_digest: Mapped[str | None]
    since: Mapped[datetime | None]
    refused_digest: Mapped[str | None]
    refused_code: Mapped[str | None]
    refused_facts: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )
    device: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    seen_at: Mapped[datetime] = timestamp_column()


class ShadowRow(Table):
    """A shadow evaluation of a candidate. At most one is running."""

    __tablename__ = "shadows"
    id: Mapped[UUID] = id_column()
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    share: Mapped[float] = mapped_column(server_default="1")
    actor: Mapped[str]
    started_at: Mapped[datetime] = timestamp_column()
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """A code and facts."""

    __table_args__ = (
        Index(
            "shadows_one",
            text("(ended_at IS NULL)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class ShadowResultRow(Table):
    """The results of a shadow and the live model for a job; `reason` if the shadow has none."""

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
    made_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (Index("shadow_results_of_job", "job_id"),)
