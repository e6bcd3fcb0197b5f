"""Service level objectives of a load. Each is kept, broken, or not judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trials.load.clients import CONNECTION_LOST, TIMEOUT
from trials.load.metrics import (
    GROWTH_MIB,
    GROWTH_SHARE,
    MIN_CASES,
    MIN_JUDGED_S,
    Fairness,
    Growth,
    Latency,
)
from trials.slo import Violations

P95_RATIO = 2.0
MIN_WAIT_S = 1.0
SETTLE_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Rule:
    """An objective.

    `broken` has a sentence for each violation. `unjudged` says why the objective cannot be judged;
    it is then neither kept nor broken.
    """

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
class Observations:
    """The observations that the objectives are judged by."""

    seconds: float
    faults: dict[str, int]
    answers: Violations
    overall: Latency
    fairness: Fairness | None
    growth: Sequence[Growth] = ()
    restarted: dict[str, float] = field(default_factory=dict)
    is_local: bool = True
    """Whether the stack is this machine's own, so that its processes are observations."""


def rules(observations: Observations) -> list[Rule]:
    """All objectives, in the order of the report."""
    return [
        Rule(
            "no 5xx",
            "No request is answered with a status of 500 or above.",
            _counted(observations.faults, _is_5xx),
        ),
        Rule(
            "no silence",
            "No request goes without an answer.",
            _counted(observations.faults, {TIMEOUT, CONNECTION_LOST}.__contains__),
        ),
        Rule(
            "none lost",
            "Every case is accepted and its job ends as done.",
            observations.answers.lost,
        ),
        Rule(
            "none double",
            "One case and one job for each request, a repeated one too.",
            observations.answers.double,
        ),
        Rule(
            "none stuck",
            f"All jobs end within {SETTLE_TIMEOUT_S:g} s after the last case.",
            observations.answers.stuck,
        ),
        Rule(
            "none mixed up",
            "Every result is that of the case and the size that was sent.",
            observations.answers.wrong,
        ),
        _fair(observations),
        _flat(observations),
        _up(observations),
    ]


def _is_5xx(code: str) -> bool:
    return code.startswith("5")


def _counted(
    faults: dict[str, int], is_violation: Callable[[str], bool]
) -> tuple[str, ...]:
    return tuple(
        f"{code}: {count} times" for code, count in faults.items() if is_violation(code)
    )


def _fair(observations: Observations) -> Rule:
    text = (
        f"No hospital's p95 of the time to a result is above {MIN_WAIT_S:g} s and "
        f"{P95_RATIO:g} times that of all "
        f"cases together. Judged are hospitals with {MIN_CASES} results at least that "
        "sent no more than an equal "
        "share of the cases: one that sends more may wait behind itself, and none because of it."
    )
    fairness = observations.fairness
    limit = max(MIN_WAIT_S, P95_RATIO * observations.overall.p95)
    if fairness is None or not fairness.within:
        return Rule(
            "fair", text, unjudged="no hospital within an equal share has so many"
        )
    sentence = (
        f"{fairness.within_p95_hospital} has a p95 of {fairness.within_p95:.2f} s, all together "
        f"{observations.overall.p95:.2f} s"
    )
    return Rule("fair", text, (sentence,) if fairness.within_p95 > limit else ())


def _flat(observations: Observations) -> Rule:
    text = (
        f"No process of the stack, with those below it, grows by {GROWTH_SHARE:.0%} or "
        f"{GROWTH_MIB:g} MiB, whichever "
        "is more, over the last two thirds of the run: slope by least squares times that time."
    )
    if not observations.is_local:
        return Rule("flat memory", text, unjudged="the stack is not this machine's own")
    if observations.seconds < MIN_JUDGED_S:
        return Rule(
            "flat memory",
            text,
            unjudged=f"under {MIN_JUDGED_S / 60:g} minutes processes still warm up",
        )
    grown = (
        f"{growth.child} grew by {growth.grown_mib:.1f} MiB over {growth.level_mib:.0f}"
        for growth in observations.growth
        if not growth.flat
    )
    return Rule("flat memory", text, tuple(grown))


def _up(observations: Observations) -> Rule:
    text = "No process of the stack has to be started again."
    if not observations.is_local:
        return Rule(
            "none restarted", text, unjudged="the stack is not this machine's own"
        )
    return Rule(
        "none restarted",
        text,
        tuple(
            f"{name}, after {at_s:.0f} s"
            for name, at_s in observations.restarted.items()
        ),
    )
