"""States of a job and their transitions, priorities, and reasons of failure."""

from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.DONE, JobState.FAILED, JobState.QUEUED, JobState.CANCELLED}
    ),
    JobState.FAILED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.DONE: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""RUNNING -> QUEUED when a lease expires; FAILED -> QUEUED when a dead letter is run again.

Every state except DONE -> CANCELLED when the case is erased; a hospital can cancel only QUEUED
jobs.
"""

FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


def source_states(target: JobState) -> frozenset[JobState]:
    """Return the states from which a job may change to `target`."""
    return frozenset(
        state for state, next_states in TRANSITIONS.items() if target in next_states
    )


class Priority(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"


class Reason(StrEnum):
    """Reasons of failed jobs. Errors of the image are not among them; they have their own codes."""

    WORKER_LOST = "worker-lost"
    IMAGE_MISSING = "object-missing"
    IMAGE_DAMAGED = "object-corrupt"
    INTERNAL = "internal"
    RESULT_CHANGED = "result-changed"
    """The result is not the one that the audit trail vouches for, so it is not shown."""
