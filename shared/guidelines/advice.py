"""What a level means for a nodule of a size."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from shared.guidelines.errors import SizeInvalid
from shared.guidelines.guideline import Level
from shared.guidelines.wording import Outcome, sentence


@dataclass(frozen=True)
class FnaAdvice:
    """Whether one rule asks for FNA of one nodule, and why."""

    outcome: Outcome
    rule: str
    level: str | None
    threshold_mm: float | None
    """The size from which FNA is due at this level: 0 = at any size, None = at none."""
    inclusive: bool
    """True: due at the threshold itself (>=). False: only above it (>)."""
    size_mm: float
    risk: float | None
    """The calibrated risk that led to the level; None where descriptors did."""
    follow_up_years: tuple[int, ...]
    """Years after which the guideline asks for another ultrasound instead."""
    text: str
    source: str

    @property
    def recommended(self) -> bool:
        return self.outcome is Outcome.DUE

    @property
    def consider(self) -> bool:
        return self.outcome is Outcome.CONSIDER

    def to_json(self) -> dict[str, Any]:
        return {"recommended": self.recommended, "consider": self.consider, **asdict(self)}


def advise(
    level: Level, size_mm: float, *, rule: str, source: str, risk: float | None = None
) -> FnaAdvice:
    """Apply a level's sizes. Raises SizeInvalid."""
    check_size(size_mm)
    outcome = _outcome(level, size_mm)
    years = _follow_up(level, size_mm, outcome)
    return FnaAdvice(
        outcome=outcome,
        rule=rule,
        level=level.name,
        threshold_mm=level.biopsy.mm if level.biopsy else None,
        inclusive=level.biopsy.inclusive if level.biopsy else False,
        size_mm=size_mm,
        risk=risk,
        follow_up_years=years,
        text=sentence(level, size_mm, outcome, years, risk),
        source=source,
    )


def undecided(
    reason: str, size_mm: float, *, rule: str, source: str, level: str | None = None
) -> FnaAdvice:
    """The rule cannot say. Raises SizeInvalid."""
    check_size(size_mm)
    return FnaAdvice(
        outcome=Outcome.UNDECIDED,
        rule=rule,
        level=level,
        threshold_mm=None,
        inclusive=False,
        size_mm=size_mm,
        risk=None,
        follow_up_years=(),
        text=reason,
        source=source,
    )


def check_size(size_mm: float) -> None:
    if not (math.isfinite(size_mm) and size_mm > 0):
        raise SizeInvalid(size_mm=size_mm)


def _outcome(level: Level, size_mm: float) -> Outcome:
    if level.biopsy and level.biopsy.met_by(size_mm):
        return Outcome.DUE
    if level.consider and level.consider.met_by(size_mm):
        return Outcome.CONSIDER
    return Outcome.NOT_DUE


def _follow_up(level: Level, size_mm: float, outcome: Outcome) -> tuple[int, ...]:
    if outcome is Outcome.DUE or not level.follow or not level.follow.met_by(size_mm):
        return ()
    return level.years
