"""One sentence for the doctor: the advice, the size and the threshold it was held against."""

from shared.domain.results.fna import FnaOutcome
from shared.guidelines.guideline import ANY_SIZE, Level, Threshold


def sentence(
    level: Level,
    size_mm: float,
    outcome: FnaOutcome,
    years: tuple[int, ...],
    risk: float | None,
) -> str:
    """The advice in words, with the follow-up where there is one."""
    subject = level.name if risk is None else f"{level.name} (risk {100 * risk:.3g} %)"
    said = f"{_HEADS[outcome]}{_reason(level, size_mm, outcome, subject)}"
    return (
        f"{said}; ultrasound again after {_listed(years)} years."
        if years
        else f"{said}."
    )


_HEADS = {
    FnaOutcome.DUE: "FNA recommended",
    FnaOutcome.CONSIDER: "FNA may be considered",
    FnaOutcome.NOT_DUE: "No FNA",
}


def _reason(level: Level, size_mm: float, outcome: FnaOutcome, subject: str) -> str:
    judged = (
        level.consider
        if outcome is FnaOutcome.CONSIDER or level.biopsy is None
        else None
    )
    if judged:
        return f": {_compared(size_mm, judged)} from which {subject} leaves it to judgement"
    if level.biopsy is None or level.biopsy == ANY_SIZE:
        return f" at any size: {subject}"
    return f": {_compared(size_mm, level.biopsy)} threshold of {subject}"


def _compared(size_mm: float, threshold: Threshold) -> str:
    if threshold.is_met_by(size_mm):
        verb = "reaches" if threshold.inclusive else "exceeds"
    else:
        verb = "is below" if threshold.inclusive else "does not exceed"
    return f"{_plain(size_mm)} mm {verb} the {threshold.mm:g} mm"


def _plain(size_mm: float) -> str:
    """One decimal, or as many as the size has: 9.96 mm is not shown as 10.0."""
    return f"{size_mm:.1f}" if round(size_mm, 1) == size_mm else f"{size_mm:.15g}"


def _listed(years: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, years[:-1]))} and {years[-1]}"
