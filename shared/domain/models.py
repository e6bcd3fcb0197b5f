"""What can happen to a model between its training and its retirement."""

from enum import StrEnum


class GateVerdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not-judged"
    """There was nothing to judge on: no locked test set, or too few images in it."""


class PromotionKind(StrEnum):
    PROMOTE = "promote"
    ROLLBACK = "rollback"
