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

All but DONE -> CANCELLED when the case is erased; a hospital itself cancels only QUEUED jobs.
"""

FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


def source_states(target: JobState) -> frozenset[JobState]:
    """The states from which a job may change to `target`."""
    return frozenset(
        state for state, next_states in TRANSITIONS.items() if target in next_states
    )


class Priority(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"


class Reason(StrEnum):
    """Why a job failed other than by an error of the image, which has a code of its own."""

    WORKER_LOST = "worker-lost"
    IMAGE_MISSING = "object-missing"
    INTERNAL = "internal"
