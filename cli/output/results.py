"""Formats results for the terminal."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from cli.output.terminal import Console
from shared.domain.results.fna import FnaAdvice, FnaOutcome
from shared.domain.results.rates import CutoffRates, RateSource
from shared.domain.results.result import Result
from shared.domain.results.statement import (
    MODEL_CAUTIONS,
    Contrast,
    Statement,
    statement_of,
)

MIN_WIDTH = 118
STATEMENT_COLUMNS = ("level", "FNA", "threshold", "risk", "cut-off")
COLUMNS = ("case", "size", *STATEMENT_COLUMNS, "remarks")
RIGHT_ALIGNED = {"size", "risk", "threshold"}
FNA_WORDS = {
    FnaOutcome.DUE: "yes",
    FnaOutcome.CONSIDER: "consider",
    FnaOutcome.NOT_DUE: "no",
    FnaOutcome.UNDECIDED: "-",
}
NO_ANSWER = "refer"
"""In the column of the cut-off: the case has no answer, a radiologist has to read it."""
NO_ANSWER_SENTENCE = (
    "No answer: SERA gives neither a risk nor FNA advice for this case. Have a radiologist read "
    "the image; the notes say why."
)
GUARANTEE = (
    "In brackets: the uncertainty of the risk (Venn-Abers). Over many cases like the training "
    "images, the share of malignant nodules lies between the mean lower and the mean upper end; "
    "for one patient there is no guarantee."
)
CONTRASTS = {
    Contrast.FNA_BELOW_CUTOFF: (
        "FNA although the score is below the cut-off: the guideline goes by risk and size, and "
        "{level} begins below the cut-off's risk of {cutoff:.0%}. The guideline's advice holds."
    ),
    Contrast.LEVEL_BELOW_CUTOFF: (
        "{level} although the score is below the cut-off: {level} begins below the cut-off's risk "
        "of {cutoff:.0%}. Level and FNA follow the guideline, whatever the cut-off."
    ),
    Contrast.NO_FNA_ABOVE_CUTOFF: (
        "No FNA although the score is above the cut-off: the guideline goes by risk and size. Its "
        "advice holds, whatever the cut-off."
    ),
}
SOURCES = {
    RateSource.LOCKED_TEST: "on the locked test set",
    RateSource.CROSS_VALIDATION: "in cross-validation on the training images",
}
PREVALENCES = {
    True: "an assumption, no share is set for this hospital",
    False: "the share that is set",
    None: "prevalence",
}
COMMON_WARNINGS = {*MODEL_CAUTIONS, "roi-absent"}
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
        return case, size, "-", "-", "-", "-", job["state"], job["reason"] or ""
    result = Result.from_json(job["result"])
    remarks = [
        warning.code
        for warning in result.warnings
        if warning.code not in COMMON_WARNINGS
    ]
    return (
        case,
        size,
        *statement_cells(result),
        ", ".join(remarks),
    )


def statement_cells(result: Result, risk_decimals: int = 0) -> tuple[str, ...]:
    """Return the values of `STATEMENT_COLUMNS`. All but the last are dashes without an answer."""
    statement = statement_of(result)
    if statement.fna is None or statement.risk is None or statement.side is None:
        return "-", "-", "-", "-", NO_ANSWER
    return (
        statement.level or "-",
        FNA_WORDS[statement.fna],
        threshold(result.fna) if result.fna else "-",
        risk_text(statement, risk_decimals),
        statement.side,
    )


def risk_text(statement: Statement, decimals: int = 0) -> str:
    """Return the risk with its interval, if it has one, such as `22% (9-34)`."""
    text = f"{statement.risk:.{decimals}%}"
    if statement.risk_interval is None:
        return text
    low, high = (100 * end for end in statement.risk_interval)
    return f"{text} ({low:.{decimals}f}-{high:.{decimals}f})"


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
    model = result.model
    lines = answer_sentences(result)
    lines.append(f"Model {model.name}/{model.version} ({model.digest[:12]}).")
    return lines + [f"Note: {warning.message}" for warning in result.warnings]


def answer_sentences(result: Result) -> list[str]:
    """Describe level, advice, risk and cut-off, or that there is no answer."""
    statement = statement_of(result)
    if not statement.answered:
        return [NO_ANSWER_SENTENCE]
    lines = []
    if result.fna:
        lines.append(f"{statement.level}. {result.fna.text} [{result.fna.rule}]")
    else:
        lines.append("No suspicion level and no FNA advice: no size was given.")
    lines.append(
        f"Risk of malignancy {risk_text(statement)} where {result.prevalence:.0%} of nodules are "
        f"malignant ({PREVALENCES[result.prevalence_assumed]})."
    )
    if result.risk_interval:
        lines.append(GUARANTEE)
    lines.append(
        f"The score is {statement.side} the model's cut-off ({result.score:.3f}, cut-off "
        f"{result.cutoff:.3f} by {result.cutoff_rule}){_rates(result.cutoff_rates)}."
    )
    if statement.contrast:
        contrast = CONTRASTS[statement.contrast]
        lines.append(contrast.format(level=statement.level, cutoff=result.cutoff_risk))
    return lines


def _rates(rates: CutoffRates | None) -> str:
    """Sensitivity and specificity with their 95 % intervals, as the end of a sentence."""
    if rates is None:
        return ""
    shares = [
        f"{name} {rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%})"
        for name, rate in (
            ("sensitivity", rates.sensitivity),
            ("specificity", rates.specificity),
        )
    ]
    return f"; {' and '.join(shares)} {SOURCES[rates.source]}"


def model_notes(jobs: Iterable[dict[str, Any]]) -> list[str]:
    """Return the remarks about the model that these jobs' results carry, each once."""
    messages: dict[str, str] = {}
    for job in jobs:
        for warning in (job["result"] or {}).get("warnings", ()):
            if warning["code"] in MODEL_CAUTIONS:
                messages[warning["code"]] = warning["message"]
    return list(messages.values())


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
