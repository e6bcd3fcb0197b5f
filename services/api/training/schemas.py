"""Training runs as an operator sees them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.training import RunState
from shared.ledger.training import TrainingRun


class NewRun(BaseModel):
    dataset: str = Field(description="Name of the dataset.", examples=["severance-2026"])
    recipe: str = Field(description="Name of a recipe that ships.", examples=["light"])
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Equal seeds on equal data make equal models.")


class RunView(BaseModel):
    run_id: UUID
    recipe: str
    seed: int
    state: RunState
    stage: str | None
    fraction: float
    attempts: int
    reason: str | None
    message: str | None
    metrics: dict[str, Any] | None
    model_digest: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def view(run: TrainingRun) -> RunView:
    return RunView(run_id=run.id, **{name: getattr(run, name) for name in RunView.model_fields if name != "run_id"})
