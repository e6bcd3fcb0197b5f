"""Advice of one rule on the fine-needle aspiration (FNA) of one nodule."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from shared.domain.json_values import plain_fields


class FnaOutcome(StrEnum):
    DUE = "due"
    CONSIDER = "consider"
    NOT_DUE = "not-due"
    UNDECIDED = "undecided"
    """The guideline has no level for the nodule, or states a risk but no FNA advice."""


@dataclass(frozen=True, kw_only=True)
class FnaAdvice:
    """The advice of one rule on FNA of one nodule, with its reason."""

    recommended: bool
    """Whether FNA is due: `outcome` is `due`."""
    consider: bool
    """Whether the rule leaves FNA to judgement: `outcome` is `consider`."""
    outcome: FnaOutcome
    """The outcome of the rule; `undecided` if the rule does not cover such a nodule."""
    rule: str
    """The rule's name: a guideline, or SERA's own rule after one, e.g. `risk-band/ACR-2017/1`."""
    level: str | None
    """The guideline's category, e.g. `TR5`; null if it has none for the nodule."""
    threshold_mm: float | None
    """Size in mm from which FNA is due at this level: 0 = at any size, null = at none."""
    inclusive: bool
    """True: due at the threshold itself (>=). False: only above it (>)."""
    size_mm: float
    """The nodule's largest diameter in mm, as given."""
    risk: float | None
    """Risk of malignancy, 0 to 1, that led to the level; null if descriptors led to it."""
    follow_up_years: tuple[int, ...]
    """Years after which the guideline recommends another ultrasound instead."""
    text: str
    """The advice as an English sentence."""
    source: str
    """The guideline's publication."""
    alternatives: tuple["FnaAdvice", ...] = ()
    """The advice of the other rules for the same risk and size; empty within an alternative."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        return cls(
            recommended=body["recommended"],
            consider=body["consider"],
            outcome=FnaOutcome(body["outcome"]),
            rule=body["rule"],
            level=body["level"],
            threshold_mm=body["threshold_mm"],
            inclusive=body["inclusive"],
            size_mm=body["size_mm"],
            risk=body["risk"],
            follow_up_years=tuple(body["follow_up_years"]),
            text=body["text"],
            source=body["source"],
            alternatives=tuple(
                FnaAdvice.from_json(alternative) for alternative in body["alternatives"]
            ),
        )

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self)
