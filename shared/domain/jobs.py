"""A job's states and the moves between them; why a job failed; its lanes."""

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
All but DONE -> CANCELLED when the case is erased; a hospital itself cancels only what is QUEUED."""

FINAL_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


def source_states(target: JobState) -> frozenset[JobState]:
    """The states from which a job may come to this one."""
    return frozenset(state for state, moves in TRANSITIONS.items() if target in moves)


class Priority(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"


class Reason(StrEnum):
    """Why a job failed without an error of the image itself (those bring their own code)."""

    WORKER_LOST = "worker-lost"
    IMAGE_MISSING = "object-missing"
    INTERNAL = "internal"
