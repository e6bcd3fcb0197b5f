"""Training runs and their steps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column


class TrainingRunRow(Table):
    """A training run. Its steps do the work."""

    __tablename__ = "training_runs"
    id: Mapped[UUID] = id_column()
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("dataset_versions.id"))
    """None only in runs from before datasets had versions."""
    recipe: Mapped[str]
    recipe_table: Mapped[dict[str, Any] | None]
    """The whole recipe at the time of the request; None only in runs from before it was stored."""
    folds: Mapped[int | None]
    """The number of folds instead of the recipe's own."""
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default="queued")
    resumed: Mapped[int] = mapped_column(server_default="0")
    stage: Mapped[str | None]
    fraction: Mapped[float] = mapped_column(server_default="0")
    metrics: Mapped[dict[str, Any] | None]
    model_digest: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """A code and facts, as in steps and events."""
    created_at: Mapped[datetime] = timestamp_column()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('queued','running','done','failed','cancelled')",
            name="training_runs_state",
        ),
    )


class RunStepRow(Table):
    """A step of a run, which one trainer does under a lease after the steps in `after`."""

    __tablename__ = "run_steps"
    run_id: Mapped[UUID] = mapped_column(
        ForeignKey("training_runs.id"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    after: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    weight: Mapped[float] = mapped_column(server_default="1")
    state: Mapped[str] = mapped_column(server_default="waiting")
    fraction: Mapped[float] = mapped_column(server_default="0")
    message: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    attempts: Mapped[int] = mapped_column(server_default="0")
    owner: Mapped[str | None]
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    available_at: Mapped[datetime] = timestamp_column()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting','running','done','failed')", name="run_steps_state"
        ),
        Index(
            "run_steps_open",
            "run_id",
            "place",
            postgresql_where=text("state IN ('waiting','running')"),
        ),
    )


class TrainerRow(Table):
    """A trainer's latest report. `lacks` are missing weight files, by recipe."""

    __tablename__ = "trainers"
    name: Mapped[str] = mapped_column(primary_key=True)
    lacks: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime] = timestamp_column()


class RunEventRow(Table):
    """An event of a run: its progress, and the figures of an epoch."""

    __tablename__ = "run_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"))
    at: Mapped[datetime] = timestamp_column()
    step: Mapped[str]
    stage: Mapped[str]
    fraction: Mapped[float]
    message: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]

    __table_args__ = (Index("run_events_of_run", "run_id", "id"),)
