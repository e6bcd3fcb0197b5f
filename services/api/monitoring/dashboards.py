"""Routes that dashboards poll: drift, input quality, performance by outcomes, conformal
coverage.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic.fields import FieldInfo

from services.api.dependencies import CallerSessionDep, DependenciesDep, Monitor
from services.api.moments import Moment
from services.api.monitoring import coverage, drift, performance, quality
from services.api.monitoring.schemas import (
    CoverageView,
    DriftView,
    PerformanceView,
    QualityView,
)
from services.api.monitoring.service import (
    FRESH_S,
    JsonAnswer,
    MonitoringService,
    WindowQuery,
)
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from shared.ledger.monitoring.observations import Period

router = APIRouter(
    route_class=StrictRoute,
    prefix="/v1/monitoring",
    tags=["monitoring"],
    dependencies=[hold_place(RoutePool.MONITORING)],
)
DEFAULT_ALPHAS = ", ".join(map(str, coverage.ALPHAS))
WITHOUT_NUL = r"^[^\x00]*$"
"""PostgreSQL's type `text` cannot store a NUL character."""
Alpha = Annotated[float, Query(gt=0, lt=1)]
IfNoneMatch = Annotated[
    str | None,
    Header(description="The ETag of an earlier answer; 304 if nothing has changed."),
]


def _text_query(max_length: int, description: str) -> FieldInfo:
    query: FieldInfo = Query(
        max_length=max_length, pattern=WITHOUT_NUL, description=description
    )
    return query


def window_query(
    hospital: Annotated[
        str | None,
        _text_query(
            200, "Name or id of a hospital. By default all hospitals that you may see."
        ),
    ] = None,
    device: Annotated[
        str | None,
        _text_query(
            80, "Make and model of the scanner, as in `device` of the response."
        ),
    ] = None,
    model: Annotated[
        str | None,
        _text_query(200, "Digest, its beginning, NAME (newest) or NAME/VERSION."),
    ] = None,
    since: Annotated[
        Moment | None,
        Query(
            description="Include results at or after this time. By default 30 days before `until`.",
            examples=["2026-10-01T00:00:00Z"],
        ),
    ] = None,
    until: Annotated[
        Moment | None,
        Query(description="Include results before this time. By default up to now."),
    ] = None,
) -> WindowQuery:
    return WindowQuery(
        hospital=hospital, device=device, model=model, since=since, until=until
    )


def monitoring_service(
    caller: Monitor, session: CallerSessionDep, dependencies: DependenciesDep
) -> MonitoringService:
    return MonitoringService(session, caller, dependencies.answer_cache)


WindowQueryDep = Annotated[WindowQuery, Depends(window_query)]
MonitoringServiceDep = Annotated[MonitoringService, Depends(monitoring_service)]


@router.get("/drift", response_model=DriftView)
def read_drift(
    service: MonitoringServiceDep,
    query: WindowQueryDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Compare score, novelty and embedding of each hospital and device with the training images of
    the model.
    """
    answer = service.answer(drift.measure, query)
    return conditional_response(answer, if_none_match)


@router.get("/quality", response_model=QualityView)
def read_quality(
    service: MonitoringServiceDep,
    query: WindowQueryDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return the frequency of each warning, of each failure and of `refer`, by hospital and
    device.
    """
    answer = service.answer(quality.measure, query)
    return conditional_response(answer, if_none_match)


@router.get("/performance", response_model=PerformanceView)
def read_performance(
    service: MonitoringServiceDep,
    query: WindowQueryDep,
    step: Annotated[
        Period, Query(description="Time step of the figures over time.")
    ] = Period.MONTH,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return AUC, calibration, sensitivity and specificity of the cases with an outcome. Show
    `sentences` together with the figures.
    """
    answer = service.answer(performance.measure, query, step)
    return conditional_response(answer, if_none_match)


@router.get("/coverage", response_model=CoverageView)
def read_coverage(
    service: MonitoringServiceDep,
    query: WindowQueryDep,
    alpha: Annotated[
        list[Alpha] | None,
        Query(
            min_length=1,
            max_length=10,
            description=f"Allowed error rates; {DEFAULT_ALPHAS} by default.",
        ),
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return how often conformal sets contain the true class at each allowed error rate, and how
    often they give a decision.
    """
    alphas = tuple(alpha or coverage.ALPHAS)
    answer = service.answer(coverage.measure, query, alphas)
    return conditional_response(answer, if_none_match)


def conditional_response(
    answer: JsonAnswer, if_none_match: str | None, max_age_s: float = FRESH_S
) -> Response:
    """Return status 304 if the client already has this content, else the content. A browser may
    reuse it for `max_age_s`.
    """
    headers = {
        "Cache-Control": f"private, max-age={max_age_s:.0f}",
        "Vary": "Authorization, Cookie",
        "ETag": answer.etag,
    }
    if if_none_match and answer.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(answer.body, headers=headers, media_type="application/json")
