"""Training runs: asked for, followed step by step and epoch by epoch, cancelled and resumed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.schemas import VersionView
from services.api.datasets.service import DatasetService
from services.api.dependencies import DependenciesDep
from services.api.text import PlainText
from services.api.training.schemas import EventView
from services.api.training.service import RunService
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, Visitor, pages
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import Legend, Point
from shared.domain.training.states import FINAL_RUN_STATES
from shared.ledger.datasets.repository import Dataset

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
    session: PageSystemSessionDep,
    wired: DependenciesDep,
    dataset: PlainText = "",
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    service = RunService(session, visitor.caller, wired)
    return render_console(
        request,
        visitor,
        "runs.html",
        runs=service.newest(LISTED),
        recipes=service.recipes(),
        frozen=frozen(DatasetService(session)),
        chosen=(dataset, version),
    )


@router.get("/console/runs/{run_id}", response_class=HTMLResponse)
def run_page(
    request: Request,
    run_id: UUID,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    wired: DependenciesDep,
) -> HTMLResponse:
    service = RunService(session, visitor.caller, wired)
    run = service.read(run_id)
    log = whole_log(service, run_id)
    return render_console(
        request,
        visitor,
        "run.html",
        run=run,
        ended=run.state in FINAL_RUN_STATES,
        log=log[-TAIL:],
        epochs=epochs(log),
        drawn=drawn(log, visitor),
    )


def frozen(service: DatasetService) -> list[tuple[Dataset, VersionView]]:
    """What a run can learn from: each data set with each of its versions, the newest first."""
    return [
        (dataset, version)
        for dataset in service.all()
        for version in service.versions(dataset.name)
    ]


def whole_log(service: RunService, run_id: UUID) -> list[EventView]:
    """All that the run said, which the API hands out in pages."""
    events: list[EventView] = []
    while page := service.log(run_id, events[-1].id if events else 0):
        events += page
    return events


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
        figure,
        *(
            visitor.translations(f"runs.{figure}.{name}")
            for name in ("title", "desc", "x", "y")
        ),
    )
