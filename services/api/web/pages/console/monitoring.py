"""Monitoring: drift, image quality, performance where outcomes are known, conformal coverage."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.monitoring import coverage, drift, performance, quality
from services.api.monitoring.schemas import (
    CoverageView,
    DriftGroup,
    DriftView,
    PerformanceFigures,
    PerformanceView,
    QualityView,
    QuantityDrift,
)
from services.api.monitoring.service import MonitoringService, WindowQuery
from services.api.route_pools import RoutePool
from services.api.web.actors import hospital_names
from services.api.web.console import render_console
from services.api.web.forms import DayFilter, TextFilter, day_end, day_start
from services.api.web.page import (
    PageCallerSessionDep,
    PageMonitor,
    Visitor,
    hold_page_place,
    page_router,
)
from services.api.web.plots import monitoring
from services.api.web.plots.models import FigureText
from shared.ledger.monitoring.observations import Period
from shared.statistics.model_life.drift import MIN_CASES

router = page_router()
NOTES = {
    performance.NO_OUTCOMES: "no-outcomes",
    performance.NOT_AT_RANDOM: "not-at-random",
    performance.FEW_OUTCOMES: "few",
    coverage.PROMISE: "promise",
    coverage.NONE_KNOWN: "none-known",
    quality.WITHOUT_MODEL: "without-model",
}
"""The key of the page's text for each note on the figures."""


@dataclass(frozen=True)
class Filters:
    """The values of the filter form."""

    hospital: str | None
    device: str | None
    model: str | None
    since: date | None
    until: date | None

    def non_empty(self) -> dict[str, object]:
        """The values of the fields that are not empty, by their names in the address."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def window_query(self) -> WindowQuery:
        return WindowQuery(
            hospital=self.hospital,
            device=self.device,
            model=self.model,
            since=day_start(self.since),
            until=day_end(self.until),
        )


def filters(
    hospital: TextFilter = None,
    device: TextFilter = None,
    model: TextFilter = None,
    since: DayFilter = None,
    until: DayFilter = None,
) -> Filters:
    return Filters(
        hospital=hospital, device=device, model=model, since=since, until=until
    )


FiltersDep = Annotated[Filters, Depends(filters)]


@router.get(
    "/console/monitoring",
    response_class=HTMLResponse,
    dependencies=[hold_page_place(RoutePool.MONITORING)],
)
def monitoring_page(
    request: Request,
    visitor: PageMonitor,
    session: PageCallerSessionDep,
    dependencies: DependenciesDep,
    filters: FiltersDep,
) -> HTMLResponse:
    service = MonitoringService(session, visitor.caller, dependencies.answer_cache)
    query = filters.window_query()
    drift_answer = service.answer(drift.measure, query)
    performance_answer = service.answer(performance.measure, query, Period.MONTH)
    quality_answer = service.answer(quality.measure, query)
    coverage_answer = service.answer(coverage.measure, query, coverage.ALPHAS)
    drift_view = DriftView.model_validate_json(drift_answer.body)
    performance_view = PerformanceView.model_validate_json(performance_answer.body)
    return render_console(
        request,
        visitor,
        "monitoring.html",
        drift=[
            (group, gauges(group, number, visitor))
            for number, group in enumerate(drift_view.groups)
        ],
        drift_state=drift_view.state,
        window=drift_view.window,
        performance=performance_view,
        over_time=over_time(performance_view, visitor),
        quality=QualityView.model_validate_json(quality_answer.body),
        coverage=CoverageView.model_validate_json(coverage_answer.body),
        notes=NOTES,
        min_cases=MIN_CASES,
        few_cases=performance.MIN_CASES,
        filters=filters.non_empty(),
        query=urlencode(filters.non_empty()),
        hospital_names=hospital_names(session),
    )


def gauges(
    group: DriftGroup, group_number: int, visitor: Visitor
) -> list[tuple[QuantityDrift, str]]:
    """Each quantity with its gauge as SVG."""
    return [
        (
            quantity,
            monitoring.gauge(quantity, _gauge_text(quantity, group_number, visitor)),
        )
        for quantity in group.quantities
    ]


def _gauge_text(
    drift: QuantityDrift, group_number: int, visitor: Visitor
) -> FigureText:
    t = visitor.translations
    description = t(
        "monitoring.gauge",
        psi=f"{drift.psi:.2f}",
        watch=f"{drift.watch_from:.2f}",
        alarm=f"{drift.alarm_from:.2f}",
    )
    return FigureText(
        key=f"drift-{group_number}-{drift.quantity}",
        title=t(f"monitoring.quantity.{drift.quantity}"),
        desc=description,
        x="",
        y="",
    )


def over_time(view: PerformanceView, visitor: Visitor) -> dict[str, str]:
    """A figure for each rate as SVG. Empty if there is only one month."""
    if len(view.over_time) < 2:
        return {}
    rates_by_month = {
        step.begins.strftime("%Y-%m"): rates(step.figures) for step in view.over_time
    }
    figures: dict[str, str] = {}
    for name in ("auc", "sensitivity", "specificity"):
        steps = [
            (month, *month_rates[name]) for month, month_rates in rates_by_month.items()
        ]
        figures[name] = monitoring.through_time(steps, _rate_text(name, visitor))
    return figures


def rates(figures: PerformanceFigures) -> dict[str, tuple[float | None, float, float]]:
    """(value, low, high) of each rate. The value is None if nothing was counted."""
    sensitivity = figures.sensitivity
    specificity = figures.specificity
    auc = figures.auc
    return {
        "sensitivity": (sensitivity.value, sensitivity.low, sensitivity.high),
        "specificity": (specificity.value, specificity.low, specificity.high),
        "auc": (auc.value, auc.low, auc.high) if auc else (None, 0.0, 1.0),
    }


def _rate_text(name: str, visitor: Visitor) -> FigureText:
    t = visitor.translations
    return FigureText(
        key=f"time-{name}",
        title=t(f"monitoring.{name}"),
        desc=t("monitoring.over_time_desc"),
        x="",
        y="",
    )
