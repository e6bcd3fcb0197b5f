"""Turns a level and a nodule's size into FNA advice, with one sentence for the doctor."""

import math

from shared.domain.results.fna import FnaAdvice, FnaOutcome
from shared.guidelines.errors import SizeInvalid
from shared.guidelines.guideline import ANY_SIZE, Level, Threshold

_OUTCOME_TEXT = {
    FnaOutcome.DUE: "FNA recommended",
    FnaOutcome.CONSIDER: "FNA may be considered",
    FnaOutcome.NOT_DUE: "No FNA",
}


def advise(
    level: Level, size_mm: float, *, rule: str, source: str, risk: float | None = None
) -> FnaAdvice:
    """Compare the size with the thresholds of the level.

    Raises
    ------
    SizeInvalid
        if the size is not a positive number.
    """
    check_size(size_mm)
    outcome = _outcome(level, size_mm)
    years = _follow_up_years(level, size_mm, outcome)
    text = _sentence(level, size_mm=size_mm, outcome=outcome, years=years, risk=risk)
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
        text=text,
        source=source,
    )


def undecided(
    reason: str, size_mm: float, *, rule: str, source: str, level: str | None = None
) -> FnaAdvice:
    """Return the advice of a rule that does not cover the nodule.

    Raises
    ------
    SizeInvalid
        if the size is not a positive number.
    """
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


def _follow_up_years(
    level: Level, size_mm: float, outcome: FnaOutcome
) -> tuple[int, ...]:
    if outcome is FnaOutcome.DUE or not level.follow_up:
        return ()
    if not level.follow_up.is_met_by(size_mm):
        return ()
    return level.follow_up_years


def _sentence(
    level: Level,
    size_mm: float,
    outcome: FnaOutcome,
    years: tuple[int, ...],
    risk: float | None,
) -> str:
    """The advice in words, with the follow-up if the level has one."""
    subject = level.name if risk is None else f"{level.name} (risk {100 * risk:.3g} %)"
    reason = _reason(level, size_mm=size_mm, outcome=outcome, subject=subject)
    advice = f"{_OUTCOME_TEXT[outcome]}{reason}"
    if not years:
        return f"{advice}."
    return f"{advice}; ultrasound again after {_enumerated(years)} years."


def _reason(level: Level, size_mm: float, outcome: FnaOutcome, subject: str) -> str:
    refers_to_judgement = outcome is FnaOutcome.CONSIDER or level.biopsy is None
    if level.consider and refers_to_judgement:
        comparison = _comparison(size_mm, level.consider)
        return f": {comparison} from which {subject} leaves it to judgement"
    if level.biopsy is None or level.biopsy == ANY_SIZE:
        return f" at any size: {subject}"
    return f": {_comparison(size_mm, level.biopsy)} threshold of {subject}"


def _comparison(size_mm: float, threshold: Threshold) -> str:
    if threshold.is_met_by(size_mm):
        verb = "reaches" if threshold.inclusive else "exceeds"
    else:
        verb = "is below" if threshold.inclusive else "does not exceed"
    return f"{_format_size(size_mm)} mm {verb} the {threshold.mm:g} mm"


def _format_size(size_mm: float) -> str:
    """One decimal, or as many as the size has: 9.96 mm is not shown as 10.0."""
    return f"{size_mm:.1f}" if round(size_mm, 1) == size_mm else f"{size_mm:.15g}"


def _enumerated(years: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, years[:-1]))} and {years[-1]}"
