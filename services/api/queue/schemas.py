"""The queue as an operator sees it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.models.schemas import WorkerView
from services.api.text import PlainText
from shared.domain.jobs import Priority

AT_ONCE = 1000
"""So many dead letters are queued again by one request."""


class LineView(BaseModel):
    """What waits of one hospital in one lane."""

    hospital: str
    lane: Priority
    jobs: int
    oldest_s: float = Field(description="Seconds since the first of them was queued.")


class InHandView(BaseModel):
    """A job that a worker holds."""

    job_id: UUID
    hospital: str
    lane: Priority
    worker: str
    attempts: int
    lease_until: datetime
    left_s: float = Field(
        description="Seconds left of the lease; below 0 it ran out and is soon taken back."
    )


class DeadView(BaseModel):
    """Dead letters of one reason: failed jobs that may be run again."""

    reason: str = Field(examples=["worker-lost"])
    jobs: int
    oldest: datetime
    newest: datetime


class DeadLetterView(BaseModel):
    job_id: UUID
    hospital: str
    reason: str
    attempts: int
    failed_at: datetime


class QueueView(BaseModel):
    waiting: list[LineView] = Field(description="By hospital, the urgent lane first.")
    running: int
    in_hand: list[InHandView] = Field(
        description="At most 100, those whose leases end first."
    )
    expired: int = Field(description="Leases that ran out and were not taken back yet.")
    dead: list[DeadView] = Field(description="The most frequent reason first.")
    per_minute: float | None = Field(
        description="Cases answered in a minute lately; null if there were none."
    )
    workers: list[WorkerView] = Field(
        description="Those that told of themselves lately."
    )


class Rerun(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "worker-lost"}]}
    )
    reason: PlainText = Field(
        min_length=1, description="Of the dead letters to queue again."
    )


class RerunView(BaseModel):
    queued: int = Field(
        description=f"At most {AT_ONCE}; send the request again while `left` is not 0."
    )
    left: int = Field(description="Dead letters of this reason that are still there.")
