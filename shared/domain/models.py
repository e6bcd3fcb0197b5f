"""What can happen to a model between its training and its retirement."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class GateVerdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not-judged"
    """There was nothing to judge on: no locked test set, or too few images in it."""


class Weight(StrEnum):
    """What a reason does to a verdict."""

    AGAINST = "against"
    FOR = "for"
    NOTE = "note"
    """Worth knowing, and decides nothing."""


@dataclass(frozen=True)
class GateReason:
    """One criterion of the gate, and in a sentence what was found."""

    code: str
    sentence: str
    weight: Weight


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a candidate. `figures` and `policy` can be kept as JSON."""

    verdict: GateVerdict
    reasons: tuple[GateReason, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def against(self) -> tuple[str, ...]:
        """The sentences for which it did not pass."""
        return tuple(reason.sentence for reason in self.reasons if reason.weight is Weight.AGAINST)


class PromotionKind(StrEnum):
    PROMOTE = "promote"
    ROLLBACK = "rollback"
