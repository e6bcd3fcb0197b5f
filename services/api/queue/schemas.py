"""API schemas of the queue."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.models.schemas import WorkerView
from services.api.text import PlainText
from shared.domain.jobs import Priority

MAX_RERUNS = 1000
"""Maximum number of dead letters that one request queues again."""


class WaitingView(BaseModel):
    """Waiting jobs of one hospital in one lane."""

    hospital: str
    lane: Priority
    jobs: int
    oldest_s: float = Field(description="Seconds since the oldest job was queued.")


class WaitingOutlinesView(BaseModel):
    """Requests for outlines of previews that wait for a worker, of all hospitals together."""

    requests: int
    oldest_s: float = Field(description="Seconds since the oldest was made.")


class RunningJobView(BaseModel):
    """A job that a worker has claimed."""

    job_id: UUID
    hospital: str
    lane: Priority
    worker: str
    attempts: int
    lease_until: datetime
    left_s: float = Field(
        description="Seconds until the lease ends. If the value is below 0, the lease has ended "
        "and the job will soon be queued again."
    )


class DeadLetterSummaryView(BaseModel):
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
    waiting: list[WaitingView] = Field(
        description="Sorted by hospital, the urgent lane first."
    )
    outlines: WaitingOutlinesView = Field(
        description="The interactive lane, which workers serve before cases."
    )
    running: int
    in_hand: list[RunningJobView] = Field(
        description="Running jobs, at most 100. Jobs whose leases end first come first."
    )
    expired: int = Field(
        description="Number of jobs whose lease has ended and that are not queued again yet."
    )
    dead: list[DeadLetterSummaryView] = Field(
        description="The most frequent reason first."
    )
    per_minute: float | None = Field(
        description="Recent number of completed cases per minute; null if no case was completed "
        "recently."
    )
    workers: list[WorkerView] = Field(
        description="Workers that sent a sign of life recently."
    )


class Rerun(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "worker-lost"}]}
    )
    reason: PlainText = Field(
        min_length=1, description="Reason of the dead letters to queue again."
    )


class RerunView(BaseModel):
    queued: int = Field(
        description=f"At most {MAX_RERUNS}; repeat the request while `left` is not 0."
    )
    left: int = Field(description="Remaining dead letters of this reason.")
