"""What a level means for a nodule of a size."""

import math

from shared.domain.results.fna import FnaAdvice, FnaOutcome
from shared.guidelines.errors import SizeInvalid
from shared.guidelines.guideline import Level
from shared.guidelines.wording import sentence


def advise(
    level: Level, size_mm: float, *, rule: str, source: str, risk: float | None = None
) -> FnaAdvice:
    """Apply a level's sizes. Raises SizeInvalid."""
    check_size(size_mm)
    outcome = _outcome(level, size_mm)
    years = _follow_up(level, size_mm, outcome)
    return FnaAdvice(
        recommended=outcome is FnaOutcome.DUE,
        consider=outcome is FnaOutcome.CONSIDER,
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
        recommended=False,
        consider=False,
        outcome=FnaOutcome.UNDECIDED,
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


def _outcome(level: Level, size_mm: float) -> FnaOutcome:
    if level.biopsy and level.biopsy.is_met_by(size_mm):
        return FnaOutcome.DUE
    if level.consider and level.consider.is_met_by(size_mm):
        return FnaOutcome.CONSIDER
    return FnaOutcome.NOT_DUE


def _follow_up(level: Level, size_mm: float, outcome: FnaOutcome) -> tuple[int, ...]:
    if (
        outcome is FnaOutcome.DUE
        or not level.follow_up
        or not level.follow_up.is_met_by(size_mm)
    ):
        return ()
    return level.follow_up_years
