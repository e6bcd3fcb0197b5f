"""Reports a run for people and for programs, and says whether it passed."""

from collections.abc import Mapping, Sequence
from typing import Any

from trials.fuzz.api import Findings
from trials.fuzz.memory import Usage
from trials.fuzz.tally import Tally

MAX_MIB = {"api": 1024.0, "worker": 3072.0}
"""Both hold a few images of at most 40 million pixels at a time; the worker also holds a model."""
MAX_GROWTH_MIB = 200.0
MAX_FAULTS = 20


def memory_faults(usage: Mapping[str, Usage]) -> list[str]:
    """Which process takes more memory than it may, or ever more."""
    faults = []
    for name, process_usage in usage.items():
        if process_usage.max_mib > MAX_MIB[name]:
            faults.append(
                f"{name} took {process_usage.max_mib:.0f} MiB, more than {MAX_MIB[name]:.0f}"
            )
        if process_usage.growth_mib > MAX_GROWTH_MIB:
            faults.append(
                f"{name} grew by {process_usage.growth_mib:.0f} MiB, more than {MAX_GROWTH_MIB:.0f}"
            )
    return faults


def upload_report(
    seed: int,
    duration_s: float,
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
        **_run_facts(seed, duration_s, usage),
        "faults": [*tally.faults, *deaths, *memory_faults(usage)],
    }


def api_report(
    seed: int,
    duration_s: float,
    findings: Mapping[str, Findings],
    usage: Mapping[str, Usage],
    deaths: Sequence[str],
) -> dict[str, Any]:
    """By role; `faults` is empty if the run passed."""
    faults = [
        f"as {role}: {fault}\n{request}"
        for role, role_findings in findings.items()
        for fault, request in role_findings.faults.items()
    ]
    return {
        "roles": {
            role: _row(role_findings) for role, role_findings in findings.items()
        },
        **_run_facts(seed, duration_s, usage),
        "faults": [*faults, *deaths, *memory_faults(usage)],
    }


def format_report(report: Mapping[str, Any]) -> str:
    """For people, a line for each figure."""
    lines = [
        line
        for name, value in report.items()
        if name != "faults"
        for line in _lines(name, value)
    ]
    faults = report["faults"]
    remainder = (
        [f"... and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
    )
    return "\n".join(
        [*lines, f"{len(faults)} faults", *faults[:MAX_FAULTS], *remainder]
    )


def _lines(name: str, value: object) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{name}: {value}"]
    return [f"{name}:", *(f"  {key}: {member}" for key, member in value.items())]


def _run_facts(
    seed: int, duration_s: float, usage: Mapping[str, Usage]
) -> dict[str, Any]:
    memory = {name: process_usage.to_json() for name, process_usage in usage.items()}
    return {"seed": seed, "seconds": round(duration_s, 1), "memory": memory}


def _row(findings: Findings) -> dict[str, Any]:
    statuses = {
        str(status): count for status, count in sorted(findings.statuses.items())
    }
    return {
        "requests": findings.requests,
        "operations": len(findings.operations),
        "statuses": statuses,
    }
