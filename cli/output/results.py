"""Formats results for the terminal."""

from typing import Any

from rich.table import Table

from cli.output.terminal import Console
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import Result

MIN_WIDTH = 118
COLUMNS = ("case", "size", "risk", "decision", "FNA", "level", "threshold", "remarks")
RIGHT_ALIGNED = {"size", "risk", "threshold"}
DECISIONS = {Verdict.REFER: "refer, let a radiologist decide whatever stands below"}
COMMON_WARNINGS = {"synthetic-model", "roi-absent"}
"""Remarks that would appear in every line of the demo."""


def wide_console() -> Console:
    """A console as wide as the terminal, or of `MIN_WIDTH` for a file or a pipe.

    Narrower tables wrap their cells.
    """
    console = Console()
    if console.is_terminal:
        return Console()
    return Console(width=max(MIN_WIDTH, console.width))


def result_table(hospital: str) -> Table:
    table = Table(
        title=hospital, title_justify="left", title_style="bold", expand=False
    )
    for name in COLUMNS:
        table.add_column(
            name,
            justify="right" if name in RIGHT_ALIGNED else "left",
            no_wrap=name != "remarks",
        )
    return table


def result_row(case: str, size_mm: float, job: dict[str, Any]) -> tuple[str, ...]:
    """Return one row of the table. The row of a failed job shows the reason."""
    size = f"{size_mm:g} mm"
    if job["state"] != "done":
        return case, size, "-", job["state"], "-", "-", "-", job["reason"] or ""
    result = Result.from_json(job["result"])
    remarks = [
        warning.code
        for warning in result.warnings
        if warning.code not in COMMON_WARNINGS
    ]
    return (
        case,
        size,
        f"{result.risk:.0%}",
        result.decision,
        *advice_cells(result.fna),
        ", ".join(remarks),
    )


def advice_cells(fna: FnaAdvice | None) -> tuple[str, str, str]:
    """Return whether FNA is recommended, the level and the threshold. Without advice they are
    dashes.
    """
    if fna is None:
        return "-", "-", "-"
    recommended = "yes" if fna.recommended else "no"
    return recommended, fna.level or "-", threshold(fna)


def threshold(fna: FnaAdvice) -> str:
    """Return the size from which FNA is recommended at this level."""
    if fna.threshold_mm is None:
        return "never"
    sign = ">=" if fna.inclusive else ">"
    return f"{sign} {fna.threshold_mm:g} mm"


def result_sentences(job: dict[str, Any]) -> list[str]:
    """Describe a single result in words."""
    if job["state"] != "done":
        return [f"The case ended as {job['state']}: {job['message'] or job['reason']}"]
    result = Result.from_json(job["result"])
    decision = DECISIONS.get(result.decision, result.decision)
    lines = [
        f"Risk of malignancy {result.risk:.0%}, decision: {decision} "
        f"(score {result.score:.3f}, cut-off {result.cutoff:.3f} by {result.cutoff_rule}).",
    ]
    if result.fna:
        lines.append(f"{result.fna.text} [{result.fna.rule}]")
    model = result.model
    lines.append(f"Model {model.name}/{model.version} ({model.digest[:12]}).")
    return lines + [f"Note: {warning.message}" for warning in result.warnings]


def descriptor_sentences(assessment: dict[str, Any] | None) -> list[str]:
    """Describe the assessment of the reader's descriptors. Empty if the reader entered none."""
    if assessment is None:
        return []
    sentences = [
        f"By the descriptors: {assessment['points']} points, {assessment['level']} "
        "(ACR TI-RADS 2017); no model has a part in this."
    ]
    for advice in assessment["advice"]:
        sentences.append(f"{advice['text']} [{advice['rule']}]")
    return sentences
