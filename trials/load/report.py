"""Writes the report of a load as a self-contained page, and its figures as JSON beside it."""

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
    Growth,
    Latency,
    Share,
    histogram,
    result_s,
    submit_s,
)
from trials.load.monitoring import EVERY_S
from trials.load.plots import draw_all
from trials.load.run import LoadRun

TEMPLATES = Path(__file__).parent / "templates"
MAX_SENTENCES = 10
"""Sentences shown for one violated objective."""
MAX_LATENESS_S = 0.1
MAX_FAULTS = 1000
"""Faults in the JSON, with their times."""
Rows = Sequence[Sequence[str]]


def check_writable(path: Path) -> None:
    """Check before the run that the report can be written."""
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


def write(run: LoadRun, path: Path) -> None:
    try:
        path.write_text(render(run), encoding="utf-8")
        json_of(path).write_text(
            json.dumps(to_json(run), indent=1) + "\n", encoding="utf-8"
        )
    except OSError as error:
        raise ReportUnwritable(path=path, problem=error.strerror) from error


def render(run: LoadRun) -> str:
    """The page: one file, with its style and figures inside and nothing fetched from elsewhere."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("report.html").render(
        run=run,
        css=css(),
        summary=summary(run),
        facts=_facts(run),
        figures=draw_all(run),
        tables=[table for table in _tables(run) if table[3]],
        shown_at_most=MAX_SENTENCES,
    )


def summary(run: LoadRun) -> list[str]:
    """The same sentences in the page and on the console."""
    ended = ""
    if run.interrupted:
        ended = f"; it was interrupted, {run.open} cases were open"
    sentences = [
        f"{len(run.sent_cases)} cases of {run.load.hospitals} hospitals in {run.seconds:.0f} s: "
        f"{run.done} done, {run.done / max(run.seconds, 1e-9):.2f} a second{ended}.",
        f"Accepted: {latency(run.submit)}.",
        f"Result: {latency(run.result)}.",
    ]
    if run.fairness:
        sentences.append(_fairness_sentence(run.fairness))
    if run.growth:
        largest = max(run.growth, key=lambda growth: growth.grown_mib)
        sentences.append(
            f"Memory after the warm-up: {largest.child} changed most, by "
            f"{largest.grown_mib:+.1f} MiB over {largest.level_mib:.0f}."
        )
    errors = ", ".join(f"{code} {count} times" for code, count in run.faults.items())
    sentences.append(f"Errors: {errors or 'none'}.")
    return sentences + _notes(run)


def _fairness_sentence(fairness: Fairness) -> str:
    sentence = (
        f"Fairness: Jain's index of {fairness.hospitals} hospitals' mean waits "
        f"{fairness.jain:.3f}; longest p95 {fairness.worst_p95:.2f} s "
        f"({fairness.worst_p95_hospital}), longest median "
        f"{fairness.worst_median_ratio:.2f} times that of all "
        f"({fairness.worst_median_hospital})."
    )
    if fairness.within:
        sentence += (
            f" Of the {fairness.within} that sent no more than an equal share, the longest "
            f"p95 is {fairness.within_p95:.2f} s ({fairness.within_p95_hospital})."
        )
    return sentence


def _notes(run: LoadRun) -> list[str]:
    if run.lateness.p99 <= MAX_LATENESS_S:
        return []
    return [
        f"This program itself was late by {run.lateness.p99:.2f} s for one case in a hundred: "
        "latencies are upper bounds."
    ]


def latency(latency: Latency) -> str:
    return (
        f"p50 {latency.p50:.3f} s, p95 {latency.p95:.3f}, p99 {latency.p99:.3f}, longest "
        f"{latency.most:.3f}"
    )


def _facts(run: LoadRun) -> Rows:
    load = run.load
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
                f"{', '.join(image_format.description for image_format in FORMATS)}"
            ),
        ),
        (
            "Latencies",
            "from when a case was due, not from when it was sent; results by long poll",
        ),
        ("Model", run.model),
        (
            "Stack",
            f"{run.url}, SERA {VERSION}"
            + (", this machine's own" if run.is_local else ""),
        ),
        ("Machine of the load", f"{_machine()}; {_busy(run)}"),
        (
            "This program",
            f"{run.cpu_share:.1%} of a core; late by {1000 * run.lateness.p99:.1f} ms (p99)",
        ),
        (
            "Looked at",
            f"queue and memory every {EVERY_S:g} s; warm-up: the first {WARM_UP_SHARE:.0%}",
        ),
        ("Began", f"{run.began:%Y-%m-%d %H:%M} UTC"),
    ]


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _busy(run: LoadRun) -> str:
    busy = [sample.busy for sample in run.samples]
    if not busy:
        return "not looked at"
    return (
        f"{sum(busy) / len(busy):.1f} processes wanted a core at a time, this load's "
        "and all others"
    )


def _tables(run: LoadRun) -> list[tuple[str, str, Sequence[str], Rows]]:
    """Title, legend, head and rows; the first column is a name."""
    return [
        (
            "Latencies",
            "In seconds.",
            ("", "cases", "p50", "p95", "p99", "longest", "mean"),
            _latencies(run),
        ),
        (
            "Errors",
            "Each answer counts, also where the request was sent again.",
            ("code", "times"),
            _errors(run),
        ),
        (
            "Memory",
            "MiB after the warm-up, each part with all processes below it, without shared memory.",
            ("part", "mean", "most", "grown", "an hour", "verdict"),
            _memory(run),
        ),
        (
            "Hospitals",
            "Time to a result in seconds; the one that sends most first.",
            ("hospital", "sent", "done", "p50", "p95", "longest", "accepted p95"),
            [_hospital(share) for share in run.shares],
        ),
    ]


def _latencies(run: LoadRun) -> Rows:
    latencies = {
        "accepted": run.submit,
        "result": run.result,
        "late by itself": run.lateness,
    }
    return [_latency_row(name, latency) for name, latency in latencies.items()]


def _latency_row(name: str, latency: Latency) -> Sequence[str]:
    return [
        name,
        str(latency.count),
        f"{latency.p50:.3f}",
        f"{latency.p95:.3f}",
        f"{latency.p99:.3f}",
        f"{latency.most:.3f}",
        f"{latency.mean:.3f}",
    ]


def _errors(run: LoadRun) -> Rows:
    return [(code, str(count)) for code, count in run.faults.items()]


def _memory(run: LoadRun) -> Rows:
    return [_memory_row(growth) for growth in run.growth]


def _memory_row(growth: Growth) -> Sequence[str]:
    return [
        growth.child,
        f"{growth.level_mib:.0f}",
        f"{growth.most_mib:.0f}",
        f"{growth.grown_mib:+.1f}",
        f"{growth.slope_mib_per_h:+.1f}",
        "flat" if growth.flat else "grows",
    ]


def _hospital(share: Share) -> Sequence[str]:
    result = share.result
    return [
        share.hospital,
        str(share.sent),
        str(result.count),
        f"{result.p50:.2f}",
        f"{result.p95:.2f}",
        f"{result.most:.2f}",
        f"{share.submit.p95:.2f}",
    ]


def to_json(run: LoadRun) -> dict[str, Any]:
    """All figures of the page, for programs."""
    figures = {
        "load": asdict(run.load),
        "stack": {
            "url": run.url,
            "model": run.model,
            "version": VERSION,
            "here": run.is_local,
        },
        "began": run.began.isoformat(),
        "seconds": run.seconds,
        "interrupted": run.interrupted,
        "cases": {"sent": len(run.sent_cases), "done": run.done, "open": run.open},
        "per_second": run.done / max(run.seconds, 1e-9),
        "submit": asdict(run.submit)
        | {"histogram": histogram(submit_s(run.sent_cases))},
        "result": asdict(run.result)
        | {"histogram": histogram(result_s(run.sent_cases))},
        "late": asdict(run.lateness) | {"cpu_share": run.cpu_share},
        "errors": run.faults,
        "faults": [asdict(fault) for fault in run.notes.faults[:MAX_FAULTS]],
        "fairness": asdict(run.fairness) if run.fairness else None,
        "hospitals": [asdict(share) for share in run.shares],
        "memory": [asdict(growth) | {"flat": growth.flat} for growth in run.growth],
        "samples": [asdict(sample) for sample in run.samples],
        "restarted": run.restarted,
        "rules": [asdict(rule) | {"state": rule.state} for rule in run.rules],
        "passed": run.passed,
    }
    return {name: _rounded(value) for name, value in figures.items()}


def _rounded(value: object) -> object:
    """Round all numbers of a structure to a tenth of a millisecond, or of a KiB."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(member) for member in value]
    return value
