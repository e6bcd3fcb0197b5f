"""`./sera monitor`: how the model does at each hospital, in tables."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.commands import application
from cli.connection import connect
from cli.output.monitoring import (
    coverage_table,
    drift_remarks,
    drift_table,
    performance_table,
    quality_table,
)
from cli.output.results import wide_console
from cli.output.terminal import print_json
from shared.domain.roles import Role

app = application()
Hospital = Annotated[
    str | None, typer.Option(help="Name; left out, all that the key may see.")
]
Days = Annotated[
    int, typer.Option(min=1, max=399, help="How many days back, by UTC midnight.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MONTH_DAYS = 30
YEAR_DAYS = 365
NO_RESULTS = "Nothing to show of the last {days} days. --days looks further back."


@app.callback()
def monitor() -> None:
    """How the model does at each hospital: drift, input quality, outcomes, coverage."""


@app.command()
def drift(
    hospital: Hospital = None, days: Days = MONTH_DAYS, as_json: AsJson = False
) -> None:
    """Whether results differ from those of the training images: PSI, 0 is no change."""
    show_report(
        "drift", hospital, days, as_json, table=drift_table, remarks=drift_remarks
    )


@app.command()
def quality(
    hospital: Hospital = None, days: Days = MONTH_DAYS, as_json: AsJson = False
) -> None:
    """How often images fail, draw a warning, or cannot be decided; in brackets 95 % intervals."""
    show_report(
        "quality",
        hospital,
        days,
        as_json,
        table=quality_table,
        remarks=report_sentences,
    )


@app.command()
def performance(
    hospital: Hospital = None, days: Days = YEAR_DAYS, as_json: AsJson = False
) -> None:
    """What outcomes say of the answers, by hospital and month; in brackets 95 % intervals."""
    show_report(
        "performance",
        hospital,
        days,
        as_json,
        table=performance_table,
        remarks=report_sentences,
    )


@app.command()
def coverage(
    hospital: Hospital = None, days: Days = YEAR_DAYS, as_json: AsJson = False
) -> None:
    """How often conformal sets hold the true class; in brackets 95 % intervals."""
    show_report(
        "coverage",
        hospital,
        days,
        as_json,
        table=coverage_table,
        remarks=report_sentences,
    )


def show_report(
    name: str,
    hospital: str | None,
    days: int,
    as_json: bool,
    *,
    table: Callable[[dict[str, Any]], Table],
    remarks: Callable[[dict[str, Any]], list[str]],
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    parameters = {"since": (today - timedelta(days=days)).isoformat()}
    if hospital:
        parameters["hospital"] = hospital
    with connect(Role.OPERATOR) as api:
        report = api.get(f"/v1/monitoring/{name}", **parameters)
    if as_json:
        print_json(report)
        return
    rows = table(report)
    console = wide_console()
    console.print(rows if rows.row_count else NO_RESULTS.format(days=days))
    for sentence in remarks(report):
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def report_sentences(report: dict[str, Any]) -> list[str]:
    sentences: list[str] = report["sentences"]
    return sentences
