"""Claimed jobs, the lease under which a worker holds them, and the reason if one fails."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.domain.messages import Facts


@dataclass(frozen=True)
class ClaimedJob:
    """A leased job with the inputs of inference."""

    id: UUID
    case_id: UUID
    hospital_id: UUID
    urgent: bool
    attempts: int
    waited_ms: float
    traceparent: str | None
    image_sha256: str
    size_mm: float
    roi: dict[str, Any] | None
    frame: int | None
    source: str
    device: str | None
    findings: list[dict[str, Any]]
    duplicate_of: UUID | None
    prevalence: float | None
    fna_rule: str | None
    target_sensitivity: float | None
    refer_alpha: float | None
    blank_text: str | None


@dataclass(frozen=True)
class Lease:
    """A batch of jobs under one token until the lease runs out.

    `expired` counts the jobs whose leases had run out and that this claim put back into the queue.
    """

    token: UUID
    jobs: tuple[ClaimedJob, ...]
    expired: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs)

    @property
    def suspect(self) -> bool:
        """Whether an earlier worker was lost while it had one of the jobs."""
        return any(job.attempts > 1 for job in self.jobs)


@dataclass(frozen=True)
class Failure:
    """The reason of a failed job: a code, and the facts in its text."""

    reason: str
    facts: Facts = field(default_factory=dict)
