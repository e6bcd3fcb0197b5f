"""What a run came to, for people and for programs; and whether it passed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.fuzz.memory import Usage
from benchmarks.fuzz.tally import Tally

MOST_MIB = {"api": 1024.0, "worker": 3072.0}
"""Both hold a few images of at most 40 million pixels at a time; the worker also holds a model."""
MOST_GROWTH_MIB = 200.0
SHOWN = 20


def swollen(usage: Mapping[str, Usage]) -> list[str]:
    """Which process takes more memory than it may, or ever more."""
    told = []
    for name, used in usage.items():
        if used.most_mib > MOST_MIB[name]:
            told.append(f"{name} took {used.most_mib:.0f} MiB, more than {MOST_MIB[name]:.0f}")
        if used.growth_mib > MOST_GROWTH_MIB:
            told.append(f"{name} grew by {used.growth_mib:.0f} MiB, more than {MOST_GROWTH_MIB:.0f}")
    return told


def result(seed: int, took_s: float, tally: Tally, usage: Mapping[str, Usage], deaths: Sequence[str]) -> dict[str, Any]:
    """`faults` is empty if the run passed."""
    return {
        "seed": seed,
        "uploads": tally.statuses.total(),
        "seconds": round(took_s, 1),
        "statuses": dict(tally.statuses.most_common()),
        "answers": dict(tally.answers.most_common()),
        "longest_request_s": round(tally.longest_s, 2),
        "memory": {name: used.told() for name, used in usage.items()},
        "faults": [*tally.faults, *deaths, *swollen(usage)],
    }


def shown(told: Mapping[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps(told, indent=2)
    lines = [f"{told['uploads']} uploads of seed {told['seed']} in {told['seconds']} s"]
    for title in ("statuses", "answers"):
        lines += [f"{title}:", *(f"  {count:6} {name}" for name, count in Counter(told[title]).most_common())]
    lines.append(f"longest request {told['longest_request_s']} s")
    lines += [f"{name}: {used}" for name, used in told["memory"].items()]
    return "\n".join([*lines, *verdict(told["faults"])])


def verdict(faults: Sequence[str]) -> list[str]:
    more = [f"... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return [f"{len(faults)} faults", *faults[:SHOWN], *more]
