"""States of a training run and of its steps, and the parts of a dataset."""

from enum import StrEnum


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED}),
    RunState.FAILED: frozenset({RunState.QUEUED}),
    RunState.CANCELLED: frozenset({RunState.QUEUED}),
    RunState.DONE: frozenset({RunState.QUEUED}),
}
"""FAILED and CANCELLED -> QUEUED when an operator resumes the run. Finished steps stay
finished.

DONE -> QUEUED when the gate judges its model again.
"""

FINAL_RUN_STATES = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED})


def run_source_states(target: RunState) -> frozenset[RunState]:
    """Return the states from which a run may change to `target`."""
    return frozenset(
        state for state, next_states in RUN_TRANSITIONS.items() if target in next_states
    )


class StepState(StrEnum):
    """A step in WAITING may be claimed when all its prerequisite steps are DONE."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StepKind(StrEnum):
    PLAN = "plan"
    NETWORK = "network"
    OUTLINE = "outline"
    FEATURES = "features"
    TABLE = "table"
    TUNING = "tuning"
    FOLD = "fold"
    FIT = "fit"
    BUNDLE = "bundle"
    EVALUATION = "evaluation"
    GATE = "gate"


class Split(StrEnum):
    """The part of a row in a dataset; models learn from `train` rows only."""

    TRAIN = "train"
    TEST = "test"
