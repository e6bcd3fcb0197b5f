"""What a run came to, for people and for programs; and whether it passed."""

from collections.abc import Mapping, Sequence
from typing import Any

from trials.fuzz.api import Findings
from trials.fuzz.memory import Usage
from trials.fuzz.tally import Tally

MOST_MIB = {"api": 1024.0, "worker": 3072.0}
"""Both hold a few images of at most 40 million pixels at a time; the worker also holds a model."""
MOST_GROWTH_MIB = 200.0
SHOWN = 20


def swollen(usage: Mapping[str, Usage]) -> list[str]:
    """Which process takes more memory than it may, or ever more."""
    told = []
    for name, used in usage.items():
        if used.most_mib > MOST_MIB[name]:
            told.append(
                f"{name} took {used.most_mib:.0f} MiB, more than {MOST_MIB[name]:.0f}"
            )
        if used.growth_mib > MOST_GROWTH_MIB:
            told.append(
                f"{name} grew by {used.growth_mib:.0f} MiB, more than {MOST_GROWTH_MIB:.0f}"
            )
    return told


def of_uploads(
    seed: int,
    took_s: float,
    tally: Tally,
    usage: Mapping[str, Usage],
    deaths: Sequence[str],
) -> dict[str, Any]:
    """`faults` is empty if the run passed."""
    return {
        "uploads": tally.statuses.total(),
        "statuses": dict(tally.statuses.most_common()),
        "answers": dict(tally.answers.most_common()),
        "longest_request_s": round(tally.longest_s, 2),
        **_of_run(seed, took_s, usage),
        "faults": [*tally.faults, *deaths, *swollen(usage)],
    }


def of_api(
    seed: int,
    took_s: float,
    found: Mapping[str, Findings],
    usage: Mapping[str, Usage],
    deaths: Sequence[str],
) -> dict[str, Any]:
    """By role; `faults` is empty if the run passed."""
    faults = [
        f"as {role}: {fault}\n{how}"
        for role, each in found.items()
        for fault, how in each.faults.items()
    ]
    return {
        "roles": {role: _row(each) for role, each in found.items()},
        **_of_run(seed, took_s, usage),
        "faults": [*faults, *deaths, *swollen(usage)],
    }


def shown(told: Mapping[str, Any]) -> str:
    """For people, a line for each figure."""
    lines = [
        line
        for name, value in told.items()
        if name != "faults"
        for line in _lines(name, value)
    ]
    faults = told["faults"]
    more = [f"... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return "\n".join([*lines, f"{len(faults)} faults", *faults[:SHOWN], *more])


def _lines(name: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{name}: {value}"]
    return [f"{name}:", *(f"  {key}: {each}" for key, each in value.items())]


def _of_run(seed: int, took_s: float, usage: Mapping[str, Usage]) -> dict[str, Any]:
    memory = {name: used.told() for name, used in usage.items()}
    return {"seed": seed, "seconds": round(took_s, 1), "memory": memory}


def _row(found: Findings) -> dict[str, Any]:
    statuses = {str(status): count for status, count in sorted(found.statuses.items())}
    return {
        "requests": found.requests,
        "operations": len(found.operations),
        "statuses": statuses,
    }
