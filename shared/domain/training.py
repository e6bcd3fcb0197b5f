"""States of a training run, and the parts of a dataset."""

from enum import StrEnum


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Split(StrEnum):
    """A row's part: `train` rows are learned from; `test` rows never are."""

    TRAIN = "train"
    TEST = "test"
