"""What dashboards poll: drift, input quality, performance by outcomes, conformal coverage."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import AwareDatetime

from services.api.dependencies import CallerSessionDep, DependenciesDep, Monitor
from services.api.monitoring import coverage, drift, performance, quality
from services.api.monitoring.schemas import (
    CoverageView,
    DriftView,
    PerformanceView,
    QualityView,
)
from services.api.monitoring.service import FRESH_S, JsonAnswer, WindowQuery, MonitoringService
from shared.ledger.monitoring.observations import Period

router = APIRouter(prefix="/v1/monitoring", tags=["monitoring"])
TOLD = ", ".join(map(str, coverage.ALPHAS))
WITHOUT_NUL = r"^[^\x00]*$"
"""PostgreSQL's text cannot hold it."""
Alpha = Annotated[float, Query(gt=0, lt=1)]
IfNoneMatch = Annotated[
    str | None,
    Header(description="The ETag of an earlier answer; 304 if it still holds."),
]


def _words(longest: int, description: str) -> Any:
    return Query(max_length=longest, pattern=WITHOUT_NUL, description=description)


def window_query(
    hospital: Annotated[
        str | None, _words(200, "Name or id; left out, all that the key may see.")
    ] = None,
    device: Annotated[
        str | None, _words(80, "Make and model, as the answers name it.")
    ] = None,
    model: Annotated[
        str | None,
        _words(200, "Digest, a start of it, NAME (its newest) or NAME/VERSION."),
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(
            description="Results made from here on; left out, 30 days before `until`.",
            examples=["2026-10-01T00:00:00Z"],
        ),
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="And before this; left out, up to now.")
    ] = None,
) -> WindowQuery:
    return WindowQuery(hospital, device, model, since, until)


def monitoring_service(
    caller: Monitor, session: CallerSessionDep, dependencies: DependenciesDep
) -> MonitoringService:
    return MonitoringService(session, caller, dependencies.cache)


WindowQueryDep = Annotated[WindowQuery, Depends(window_query)]
MonitoringServiceDep = Annotated[MonitoringService, Depends(monitoring_service)]


@router.get("/drift", response_model=DriftView)
def read_drift(
    service: MonitoringServiceDep, asked: WindowQueryDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Score, strangeness and embedding of each hospital and device against the training images of their model."""
    return conditional_response(service.answer(drift.measure, asked), if_none_match)


@router.get("/quality", response_model=QualityView)
def read_quality(
    service: MonitoringServiceDep, asked: WindowQueryDep, if_none_match: IfNoneMatch = None
) -> Response:
    """How often each warning and each failure comes, and `refer`, by hospital and device."""
    return conditional_response(service.answer(quality.measure, asked), if_none_match)


@router.get("/performance", response_model=PerformanceView)
def read_performance(
    service: MonitoringServiceDep,
    asked: WindowQueryDep,
    step: Annotated[
        Period, Query(description="Of the figures over time.")
    ] = Period.MONTH,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """AUC, calibration, sensitivity and specificity as far as outcomes are known: read `sentences` with them."""
    return conditional_response(service.answer(performance.measure, asked, step), if_none_match)


@router.get("/coverage", response_model=CoverageView)
def read_coverage(
    service: MonitoringServiceDep,
    asked: WindowQueryDep,
    alpha: Annotated[
        list[Alpha] | None,
        Query(
            min_length=1,
            max_length=10,
            description=f"Errors to allow; {TOLD} if left out.",
        ),
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """How often conformal sets hold the true class at each error that is allowed, and how often they decide."""
    return conditional_response(
        service.answer(coverage.measure, asked, tuple(alpha or coverage.ALPHAS)),
        if_none_match,
    )


def conditional_response(
    answer: JsonAnswer, if_none_match: str | None, fresh_s: float = FRESH_S
) -> Response:
    fresh = {
        "Cache-Control": f"private, max-age={fresh_s:.0f}",
        "Vary": "Authorization, Cookie",
    }
    headers = fresh | {"ETag": answer.etag}
    if if_none_match and answer.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(answer.body, headers=headers, media_type="application/json")
