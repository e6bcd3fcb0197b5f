"""What can happen to a model between its training and its retirement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.domain.messages import Facts, Message, to_json
from shared.errors import NotFound


class ModelUnknown(NotFound):
    code = "model-unknown"
    text = "There is no model {name!r}. The models there are: ./sera models list, or GET /v1/models."


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
    """One criterion of the gate, and the figures of what was found."""

    code: str
    weight: Weight
    facts: Facts = field(default_factory=dict)

    @property
    def message(self) -> Message:
        return Message(f"judged-{self.code}", self.facts)

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "weight": self.weight.value,
            "facts": to_json(self.facts),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "GateReason":
        return cls(stored["code"], Weight(stored["weight"]), stored.get("facts", {}))


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a candidate. `figures` and `policy` can be kept as JSON."""

    verdict: GateVerdict
    reasons: tuple[GateReason, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def objections(self) -> tuple[Message, ...]:
        """Why it did not pass."""
        return tuple(
            reason.message for reason in self.reasons if reason.weight is Weight.AGAINST
        )


class PromotionKind(StrEnum):
    PROMOTE = "promote"
    ROLLBACK = "rollback"
