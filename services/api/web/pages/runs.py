"""Training runs: asked for, followed step by step and epoch by epoch, cancelled and resumed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.service import DatasetDesk
from services.api.dependencies import WiringDep
from services.api.text import PlainText
from services.api.training.schemas import EventView
from services.api.training.service import RunDesk
from services.api.web import plots_models
from services.api.web.console import show_console
from services.api.web.plots_models import Legend, Point
from services.api.web.shell import PageOperator, Visitor, pages
from shared.domain.training import ENDED

router = pages()
LISTED = 50
TAIL = 30
"""Lines of the log on the page; the whole of it is at /v1/training-runs/{id}/log."""
FIGURES = ("loss", "auc")
Series = dict[str, list[Point]]


@router.get("/console/runs", response_class=HTMLResponse)
def runs_page(
    request: Request,
    visitor: PageOperator,
    wired: WiringDep,
    dataset: PlainText = "",
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    desk = RunDesk(wired, visitor.caller)
    facts = {
        "runs": desk.newest(LISTED),
        "recipes": desk.recipes(),
        "frozen": frozen(DatasetDesk(wired, visitor.caller)),
        "chosen": (dataset, version),
    }
    return show_console(request, visitor, "runs.html", **facts)


@router.get("/console/runs/{run_id}", response_class=HTMLResponse)
def run_page(
    request: Request, run_id: UUID, visitor: PageOperator, wired: WiringDep
) -> HTMLResponse:
    desk = RunDesk(wired, visitor.caller)
    run, log = desk.read(run_id), whole_log(desk, run_id)
    facts = {
        "run": run,
        "ended": run.state in ENDED,
        "log": log[-TAIL:],
        "epochs": epochs(log),
        "drawn": drawn(log, visitor),
    }
    return show_console(request, visitor, "run.html", **facts)


def frozen(desk: DatasetDesk) -> list[tuple[Any, Any]]:
    """What a run can learn from: each data set with each of its versions, the newest first."""
    return [(dataset, version) for dataset in desk.all() for version in desk.versions(dataset.name)]


def whole_log(desk: RunDesk, run_id: UUID) -> list[EventView]:
    """All that the run said, which the API hands out in pages."""
    said: list[EventView] = []
    while page := desk.log(run_id, said[-1].id if said else 0):
        said += page
    return said


def epochs(log: Sequence[EventView]) -> list[EventView]:
    """Where a network's loss was told."""
    return [event for event in log if "loss" in event.metrics]


def series(log: Sequence[EventView], figure: str) -> Series:
    """A figure by epoch, a line for each step; a step that began anew, or tries another setting, begins a line."""
    lines: dict[str, list[tuple[float, float | None]]] = {}
    latest: dict[str, str] = {}
    begun: defaultdict[str, int] = defaultdict(int)
    for event in epochs(log):
        name = latest.get(event.step)
        after = lines[name][-1][0] if name else 0
        epoch = event.metrics.get("epoch", after + 1)
        if name is None or epoch <= after:
            begun[event.step] += 1
            name = latest[event.step] = event.step + (
                f" ({begun[event.step]})" if begun[event.step] > 1 else ""
            )
            lines[name] = []
        lines[name].append((epoch, event.metrics.get(figure)))
    points = {
        name: [(epoch, value) for epoch, value in line if value is not None]
        for name, line in lines.items()
    }
    return {name: line for name, line in points.items() if line}


def drawn(log: Sequence[EventView], visitor: Visitor) -> dict[str, str]:
    """Curves of what was told: none of a run that tunes no network."""
    curves = {figure: series(log, figure) for figure in FIGURES}
    ends = {"loss": None, "auc": 1.0}
    return {
        figure: plots_models.learning(lines, _legend(figure, visitor), ends[figure])
        for figure, lines in curves.items()
        if lines
    }


def _legend(figure: str, visitor: Visitor) -> Legend:
    return Legend(
        figure, *(visitor.words(f"runs.{figure}.{name}") for name in ("title", "desc", "x", "y"))
    )
