"""Training runs: start, follow by step and epoch, cancel and resume."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.schemas import VersionView
from services.api.datasets.service import DatasetService
from services.api.dependencies import DependenciesDep
from services.api.text import PlainText
from services.api.training.schemas import RunEventView
from services.api.training.service import RunService
from services.api.web.console import render_console
from services.api.web.page import (
    PageOperator,
    PageSystemSessionDep,
    Visitor,
    page_router,
)
from services.api.web.plots import models as plots_models
from services.api.web.plots.models import Point
from shared.domain.training.states import FINAL_RUN_STATES
from shared.ledger.datasets.repository import Dataset

router = page_router()
MAX_RUNS = 50
LOG_LINES = 30
"""Lines of the log on the page; the full log is at /v1/training-runs/{id}/log."""
FIGURES = ("loss", "auc")
AXIS_ENDS = {"loss": None, "auc": 1.0}
"""The upper end of each figure's axis; None: above its highest value."""
Series = dict[str, list[Point]]


@router.get("/console/runs", response_class=HTMLResponse)
def runs_page(
    request: Request,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    dependencies: DependenciesDep,
    dataset: PlainText = "",
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    service = RunService(session, visitor.caller, dependencies)
    return render_console(
        request,
        visitor,
        "runs.html",
        runs=service.newest(MAX_RUNS),
        recipes=service.recipes(),
        trainable_versions=trainable_versions(DatasetService(session)),
        selected_version=(dataset, version),
    )


@router.get("/console/runs/{run_id}", response_class=HTMLResponse)
def run_page(
    request: Request,
    run_id: UUID,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    dependencies: DependenciesDep,
) -> HTMLResponse:
    service = RunService(session, visitor.caller, dependencies)
    run = service.read(run_id)
    log = whole_log(service, run_id)
    return render_console(
        request,
        visitor,
        "run.html",
        run=run,
        ended=run.state in FINAL_RUN_STATES,
        log=log[-LOG_LINES:],
        loss_events=loss_events(log),
        curves=learning_curves(log, visitor),
    )


def trainable_versions(service: DatasetService) -> list[tuple[Dataset, VersionView]]:
    """The frozen versions that a run can train on, by data set, the newest first."""
    return [
        (dataset, version)
        for dataset in service.all()
        for version in service.versions(dataset.name)
    ]


def whole_log(service: RunService, run_id: UUID) -> list[RunEventView]:
    """All events of the run's log, which the API returns in pages."""
    events: list[RunEventView] = []
    while page := service.log(run_id, events[-1].id if events else 0):
        events += page
    return events


def loss_events(log: Sequence[RunEventView]) -> list[RunEventView]:
    """The events that report a network's loss."""
    return [event for event in log if "loss" in event.metrics]


def series(log: Sequence[RunEventView], figure: str) -> Series:
    """A figure by epoch, one line for each attempt of a step.

    A step begins a new line if it starts again or tries another setting: its epoch then goes back.
    """
    lines: dict[str, list[tuple[float, float | None]]] = {}
    line_by_step: dict[str, str] = {}
    attempts: Counter[str] = Counter()
    for event in loss_events(log):
        line = line_by_step.get(event.step)
        previous_epoch = lines[line][-1][0] if line else 0
        epoch = event.metrics.get("epoch", previous_epoch + 1)
        if line is None or epoch <= previous_epoch:
            attempts[event.step] += 1
            line = _line_name(event.step, attempts[event.step])
            line_by_step[event.step] = line
            lines[line] = []
        lines[line].append((epoch, event.metrics.get(figure)))
    points = {name: _known_points(line) for name, line in lines.items()}
    return {name: line for name, line in points.items() if line}


def _line_name(step: str, attempt: int) -> str:
    return step if attempt == 1 else f"{step} ({attempt})"


def _known_points(line: Sequence[tuple[float, float | None]]) -> list[Point]:
    return [(epoch, value) for epoch, value in line if value is not None]


def learning_curves(log: Sequence[RunEventView], visitor: Visitor) -> dict[str, str]:
    """Learning curves as SVG by figure. Empty for a run that tunes no network."""
    curves: dict[str, str] = {}
    for figure in FIGURES:
        lines = series(log, figure)
        if lines:
            text = plots_models.figure_text(
                visitor.translations, f"runs.{figure}", figure
            )
            curves[figure] = plots_models.learning(lines, text, AXIS_ENDS[figure])
    return curves
