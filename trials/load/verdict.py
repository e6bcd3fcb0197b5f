"""What a load promises, as rules; each is kept, broken with sentences that say how, or not judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trials.load.clients import CUT, TIMEOUT
from trials.load.metrics import (
    GROWTH_MIB,
    GROWTH_SHARE,
    LEAST_CASES,
    LEAST_JUDGED_S,
    Fairness,
    Growth,
    Latency,
)
from trials.slo import Answers

P95_RATIO = 2.0
LEAST_WAIT_S = 1.0
SETTLED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Rule:
    """A promise. `unjudged` says why it could not be judged; then it is neither kept nor broken."""

    name: str
    text: str
    broken: tuple[str, ...] = ()
    unjudged: str = ""

    @property
    def state(self) -> str:
        if self.unjudged:
            return "not judged"
        return "broken" if self.broken else "kept"


@dataclass(frozen=True)
class Seen:
    """All that is judged."""

    seconds: float
    faults: dict[str, int]
    answers: Answers
    overall: Latency
    fairness: Fairness | None
    growth: Sequence[Growth] = ()
    restarted: dict[str, float] = field(default_factory=dict)
    here: bool = True
    """Whether the stack is this machine's own, so that its processes are seen."""


def rules(seen: Seen) -> list[Rule]:
    """All of them, in the order of the report."""
    return [
        Rule(
            "no 5xx",
            "No request is answered with a status of 500 or above.",
            _counted(seen.faults, _is_5xx),
        ),
        Rule(
            "no silence",
            "No request goes without an answer.",
            _counted(seen.faults, {TIMEOUT, CUT}.__contains__),
        ),
        Rule(
            "none lost",
            "Every case is accepted and its job ends as done.",
            seen.answers.lost,
        ),
        Rule(
            "none double",
            "One case and one job for each request, a repeated one too.",
            seen.answers.double,
        ),
        Rule(
            "none stuck",
            f"All jobs end within {SETTLED_WITHIN_S:g} s after the last case.",
            seen.answers.stuck,
        ),
        Rule(
            "none mixed up",
            "Every result is that of the case and the size that was sent.",
            seen.answers.wrong,
        ),
        _fair(seen),
        _flat(seen),
        _up(seen),
    ]


def _is_5xx(code: str) -> bool:
    return code.startswith("5")


def _counted(faults: dict[str, int], bad: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(
        f"{code}: {count} times" for code, count in faults.items() if bad(code)
    )


def _fair(seen: Seen) -> Rule:
    told = (
        f"No hospital's p95 of the time to a result is above {LEAST_WAIT_S:g} s and "
        f"{P95_RATIO:g} times that of all "
        f"cases together. Judged are hospitals with {LEAST_CASES} results at least that "
        "sent no more than an equal "
        "share of the cases: one that sends more may wait behind itself, and none because of it."
    )
    found = seen.fairness
    limit = max(LEAST_WAIT_S, P95_RATIO * seen.overall.p95)
    if found is None or not found.within:
        return Rule(
            "fair", told, unjudged="no hospital within an equal share has so many"
        )
    late = (
        f"{found.within_p95_hospital} has a p95 of {found.within_p95:.2f} s, all together "
        f"{seen.overall.p95:.2f} s"
    )
    return Rule("fair", told, (late,) if found.within_p95 > limit else ())


def _flat(seen: Seen) -> Rule:
    told = (
        f"No process of the stack, with those below it, grows by {GROWTH_SHARE:.0%} or "
        f"{GROWTH_MIB:g} MiB, whichever "
        "is more, over the last two thirds of the run: slope by least squares times that time."
    )
    if not seen.here:
        return Rule("flat memory", told, unjudged="the stack is not this machine's own")
    if seen.seconds < LEAST_JUDGED_S:
        return Rule(
            "flat memory",
            told,
            unjudged=f"under {LEAST_JUDGED_S / 60:g} minutes processes still warm up",
        )
    grown = (
        f"{e.child} grew by {e.grown_mib:.1f} MiB over {e.level_mib:.0f}"
        for e in seen.growth
        if not e.flat
    )
    return Rule("flat memory", told, tuple(grown))


def _up(seen: Seen) -> Rule:
    told = "No process of the stack has to be started again."
    if not seen.here:
        return Rule(
            "none restarted", told, unjudged="the stack is not this machine's own"
        )
    return Rule(
        "none restarted",
        told,
        tuple(f"{name}, after {at_s:.0f} s" for name, at_s in seen.restarted.items()),
    )
