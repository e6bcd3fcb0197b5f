"""A load as one self-contained page, and the same figures as JSON beside it."""

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.drawing import css
from shared.version import VERSION
from trials.load.arrivals import TWICE_SHARE, URGENT_SHARE
from trials.load.errors import ReportUnwritable
from trials.load.images import FORMATS
from trials.load.metrics import (
    WARM_UP_SHARE,
    Fairness,
    Latency,
    Share,
    histogram,
    result_s,
    submit_s,
)
from trials.load.monitoring import EVERY_S
from trials.load.plots import draw_all
from trials.load.run import Course

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_AT_MOST = 10
"""Sentences of a broken promise."""
LATE_S = 0.1
MOST_FAULTS = 1000
"""In the JSON, with their times."""
Rows = Sequence[Sequence[str]]


def check_writable(path: Path) -> None:
    """Before a long run, not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ReportUnwritable(path=path, problem=error.strerror) from error
    if path.is_dir():
        raise ReportUnwritable(path=path, problem="it is a folder")


def json_of(path: Path) -> Path:
    return path.with_suffix(".json")


def write(course: Course, path: Path) -> None:
    try:
        path.write_text(render(course), encoding="utf-8")
        json_of(path).write_text(
            json.dumps(to_json(course), indent=1) + "\n", encoding="utf-8"
        )
    except OSError as error:
        raise ReportUnwritable(path=path, problem=error.strerror) from error


def render(course: Course) -> str:
    """The page: one file, with its style and figures inside and nothing fetched from elsewhere."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("report.html").render(
        course=course,
        css=css(),
        summary=summary(course),
        facts=_facts(course),
        figures=draw_all(course),
        tables=[table for table in _tables(course) if table[3]],
        shown_at_most=SHOWN_AT_MOST,
    )


def summary(course: Course) -> list[str]:
    """The same sentences in the page and on the console."""
    ended = (
        f"; it was interrupted, {course.open} cases were open"
        if course.interrupted
        else ""
    )
    told = [
        f"{len(course.sent)} cases of {course.load.hospitals} hospitals in "
        f"{course.seconds:.0f} s: {course.done} done, "
        f"{course.done / max(course.seconds, 1e-9):.2f} a second{ended}.",
        f"Accepted: {latency(course.submit)}.",
        f"Result: {latency(course.result)}.",
    ]
    if found := course.fairness:
        told.append(
            f"Fairness: Jain's index of {found.hospitals} hospitals' mean waits "
            f"{found.jain:.3f}; longest p95 "
            f"{found.worst_p95:.2f} s ({found.worst_p95_hospital}), longest median "
            f"{found.worst_median_ratio:.2f} "
            f"times that of all ({found.worst_median_hospital}).{_within(found)}"
        )
    if largest := max(course.growth, key=lambda each: each.grown_mib, default=None):
        told.append(
            f"Memory after the warm-up: {largest.child} changed most, by "
            f"{largest.grown_mib:+.1f} MiB over "
            f"{largest.level_mib:.0f}."
        )
    errors = ", ".join(f"{code} {count} times" for code, count in course.faults.items())
    told.append(f"Errors: {errors or 'none'}.")
    return told + _notes(course)


def _within(found: Fairness) -> str:
    if not found.within:
        return ""
    return (
        f" Of the {found.within} that sent no more than an equal share, the longest p95 is "
        f"{found.within_p95:.2f} s "
        f"({found.within_p95_hospital})."
    )


def _notes(course: Course) -> list[str]:
    if course.lateness.p99 <= LATE_S:
        return []
    late = f"{course.lateness.p99:.2f} s"
    return [
        (
            f"This program itself was late by {late} for one case in a hundred: latencies are "
            "upper bounds."
        )
    ]


def latency(found: Latency) -> str:
    return (
        f"p50 {found.p50:.3f} s, p95 {found.p95:.3f}, p99 {found.p99:.3f}, longest "
        f"{found.most:.3f}"
    )


def _facts(course: Course) -> Rows:
    load = course.load
    return [
        (
            "Asked for",
            f"{load.hospitals} hospitals, {load.rate:g} cases a second, {load.minutes:g} minutes",
        ),
        (
            "Arrivals",
            f"a Poisson process, seed {load.seed}; a hospital's share falls with its rank (Zipf)",
        ),
        (
            "Of them",
            f"{URGENT_SHARE:.0%} urgent, {TWICE_SHARE:.0%} sent twice under one Idempotency-Key",
        ),
        (
            "Images",
            (
                "synthetic phantoms, each different, by turns "
                f"{', '.join(each.told for each in FORMATS)}"
            ),
        ),
        (
            "Latencies",
            "from when a case was due, not from when it was sent; results by long poll",
        ),
        ("Model", course.model),
        (
            "Stack",
            f"{course.url}, SERA {VERSION}"
            + (", this machine's own" if course.here else ""),
        ),
        ("Machine of the load", f"{_machine()}; {_busy(course)}"),
        (
            "This program",
            f"{course.cpu_share:.1%} of a core; late by {1000 * course.lateness.p99:.1f} ms (p99)",
        ),
        (
            "Looked at",
            f"queue and memory every {EVERY_S:g} s; warm-up: the first {WARM_UP_SHARE:.0%}",
        ),
        ("Began", f"{course.began:%Y-%m-%d %H:%M} UTC"),
    ]


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _busy(course: Course) -> str:
    wanted = [each.busy for each in course.samples]
    if not wanted:
        return "not looked at"
    return (
        f"{sum(wanted) / len(wanted):.1f} processes wanted a core at a time, this load's "
        "and all others"
    )


def _tables(course: Course) -> list[tuple[str, str, Sequence[str], Rows]]:
    """Title, legend, head and rows; the first column is a name."""
    return [
        (
            "Latencies",
            "In seconds.",
            ("", "cases", "p50", "p95", "p99", "longest", "mean"),
            _latencies(course),
        ),
        (
            "Errors",
            "Each answer counts, also where the request was sent again.",
            ("code", "times"),
            _errors(course),
        ),
        (
            "Memory",
            "MiB after the warm-up, each part with all processes below it, without shared memory.",
            ("part", "mean", "most", "grown", "an hour", "verdict"),
            _memory(course),
        ),
        (
            "Hospitals",
            "Time to a result in seconds; the one that sends most first.",
            ("hospital", "sent", "done", "p50", "p95", "longest", "accepted p95"),
            [_hospital(each) for each in course.shares],
        ),
    ]


def _latencies(course: Course) -> Rows:
    told = (
        ("accepted", course.submit),
        ("result", course.result),
        ("late by itself", course.lateness),
    )
    return [
        (
            name,
            str(each.count),
            *(
                f"{value:.3f}"
                for value in (each.p50, each.p95, each.p99, each.most, each.mean)
            ),
        )
        for name, each in told
    ]


def _errors(course: Course) -> Rows:
    return [(code, str(count)) for code, count in course.faults.items()]


def _memory(course: Course) -> Rows:
    return [
        (
            each.child,
            f"{each.level_mib:.0f}",
            f"{each.most_mib:.0f}",
            f"{each.grown_mib:+.1f}",
            f"{each.slope_mib_per_h:+.1f}",
            "flat" if each.flat else "grows",
        )
        for each in course.growth
    ]


def _hospital(each: Share) -> Sequence[str]:
    found = each.result
    times = (
        f"{value:.2f}" for value in (found.p50, found.p95, found.most, each.submit.p95)
    )
    return (each.hospital, str(each.sent), str(found.count), *times)


def to_json(course: Course) -> dict[str, Any]:
    """All figures of the page, for programs."""
    found = {
        "load": asdict(course.load),
        "stack": {
            "url": course.url,
            "model": course.model,
            "version": VERSION,
            "here": course.here,
        },
        "began": course.began.isoformat(),
        "seconds": course.seconds,
        "interrupted": course.interrupted,
        "cases": {"sent": len(course.sent), "done": course.done, "open": course.open},
        "per_second": course.done / max(course.seconds, 1e-9),
        "submit": asdict(course.submit)
        | {"histogram": histogram(submit_s(course.sent))},
        "result": asdict(course.result)
        | {"histogram": histogram(result_s(course.sent))},
        "late": asdict(course.lateness) | {"cpu_share": course.cpu_share},
        "errors": course.faults,
        "faults": [asdict(each) for each in course.notes.faults[:MOST_FAULTS]],
        "fairness": asdict(course.fairness) if course.fairness else None,
        "hospitals": [asdict(each) for each in course.shares],
        "memory": [asdict(each) | {"flat": each.flat} for each in course.growth],
        "samples": [asdict(each) for each in course.samples],
        "restarted": course.restarted,
        "rules": [asdict(rule) | {"state": rule.state} for rule in course.rules],
        "passed": course.kept,
    }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _rounded(told: Any) -> Any:
    """To a tenth of a millisecond, or of a KiB."""
    if isinstance(told, float):
        return round(told, 4)
    if isinstance(told, dict):
        return {name: _rounded(value) for name, value in told.items()}
    return (
        [_rounded(value) for value in told] if isinstance(told, list | tuple) else told
    )
