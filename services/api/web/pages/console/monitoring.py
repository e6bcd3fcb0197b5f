"""What is watched: drift, image quality, performance by outcomes, conformal coverage."""

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
from services.api.monitoring.service import WindowQuery, MonitoringService
from services.api.web.actors import hospital_names
from services.api.web.console import render_console
from services.api.web.forms import DayFilter, TextFilter, day_start, day_end
from services.api.web.page import PageCallerSessionDep, PageMonitor, Visitor, pages
from services.api.web.plots import monitoring
from services.api.web.plots.models import Legend
from shared.ledger.monitoring.observations import Period
from shared.statistics.model_life.drift import MIN_CASES

router = pages()
NOTES = {
    performance.NO_OUTCOMES: "no-outcomes",
    performance.NOT_AT_RANDOM: "not-at-random",
    performance.FEW: "few",
    coverage.PROMISE: "promise",
    coverage.NONE_KNOWN: "none-known",
    quality.WITHOUT_MODEL: "without-model",
}
"""What must be known to read the figures, by the page's own words for it."""


@dataclass(frozen=True)
class Filters:
    """What the form was filled in with."""

    hospital: str | None
    device: str | None
    model: str | None
    since: date | None
    until: date | None

    def chosen(self) -> dict[str, object]:
        """The fields that were not left empty, by their names in the address."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def asked(self) -> WindowQuery:
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


@router.get("/console/monitoring", response_class=HTMLResponse)
def monitoring_page(
    request: Request,
    visitor: PageMonitor,
    session: PageCallerSessionDep,
    wired: DependenciesDep,
    filters: FiltersDep,
) -> HTMLResponse:
    service = MonitoringService(session, visitor.caller, wired.cache)
    asked = filters.asked()
    drifts = DriftView.model_validate_json(service.answer(drift.measure, asked).body)
    figures = PerformanceView.model_validate_json(
        service.answer(performance.measure, asked, Period.MONTH).body
    )
    covered = CoverageView.model_validate_json(
        service.answer(coverage.measure, asked, coverage.ALPHAS).body
    )
    return render_console(
        request,
        visitor,
        "monitoring.html",
        drift=[
            (group, gauges(group, number, visitor))
            for number, group in enumerate(drifts.groups)
        ],
        drift_state=drifts.state,
        window=drifts.window,
        performance=figures,
        over_time=over_time(figures, visitor),
        quality=QualityView.model_validate_json(
            service.answer(quality.measure, asked).body
        ),
        coverage=covered,
        notes=NOTES,
        fewest=MIN_CASES,
        few_cases=performance.FEW_CASES,
        asked=filters.chosen(),
        query=urlencode(filters.chosen()),
        homes=hospital_names(session),
    )


def gauges(
    group: DriftGroup, number: int, visitor: Visitor
) -> list[tuple[QuantityDrift, str]]:
    """Each quantity with its figure."""
    return [
        (each, monitoring.gauge(each, _told(each, number, visitor)))
        for each in group.quantities
    ]


def _told(each: QuantityDrift, number: int, visitor: Visitor) -> Legend:
    t = visitor.translations
    title = t(f"monitoring.quantity.{each.quantity}")
    limits = {
        "psi": f"{each.psi:.2f}",
        "watch": f"{each.watch_from:.2f}",
        "alarm": f"{each.alarm_from:.2f}",
    }
    return Legend(
        f"drift-{number}-{each.quantity}",
        title,
        t("monitoring.gauge", **limits),
        "",
        "",
    )


def over_time(view: PerformanceView, visitor: Visitor) -> dict[str, str]:
    """A figure for each rate; none where there is but one month."""
    if len(view.over_time) < 2:
        return {}
    months = [
        (step.begins.strftime("%Y-%m"), rates(step.figures)) for step in view.over_time
    ]
    lines = {
        name: [(month, *told[name]) for month, told in months]
        for name in ("auc", "sensitivity", "specificity")
    }
    return {
        name: monitoring.through_time(line, _named(name, visitor))
        for name, line in lines.items()
    }


def rates(figures: PerformanceFigures) -> dict[str, tuple[float | None, float, float]]:
    told = {name: getattr(figures, name) for name in ("sensitivity", "specificity")}
    found = {name: (each.value, each.low, each.high) for name, each in told.items()}
    return found | {
        "auc": (figures.auc.value, figures.auc.low, figures.auc.high)
        if figures.auc
        else (None, 0.0, 1.0)
    }


def _named(name: str, visitor: Visitor) -> Legend:
    t = visitor.translations
    return Legend(
        f"time-{name}", t(f"monitoring.{name}"), t("monitoring.over_time_desc"), "", ""
    )
