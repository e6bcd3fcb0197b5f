"""The gate's judgement of a model, and the kinds of promotion."""

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
    """The gate cannot judge: there is no locked test set, or it has too few images."""


class Weight(StrEnum):
    """The effect of a reason on the verdict."""

    AGAINST = "against"
    FOR = "for"
    NOTE = "note"
    """Information without effect on the verdict."""


@dataclass(frozen=True)
class GateReason:
    """One criterion of the gate, with its figures as facts."""

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
    def from_json(cls, values: Mapping[str, Any]) -> "GateReason":
        return cls(
            code=values["code"],
            weight=Weight(values["weight"]),
            facts=values.get("facts", {}),
        )


@dataclass(frozen=True)
class Judgement:
    """The gate's judgement of a candidate. `figures` and `policy` can be stored as JSON."""

    verdict: GateVerdict
    reasons: tuple[GateReason, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def objections(self) -> tuple[Message, ...]:
        """The reasons why the model did not pass."""
        return tuple(
            reason.message for reason in self.reasons if reason.weight is Weight.AGAINST
        )


class PromotionKind(StrEnum):
    PROMOTE = "promote"
    ROLLBACK = "rollback"
