"""Route of the wallboard's figures, for SERA's own page and for external dashboards."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.dependencies import CallerDep, DependenciesDep, TransactionDep
from services.api.monitoring.dashboards import IfNoneMatch, conditional_response
from services.api.strict_requests import StrictRoute
from services.api.wallboard.schemas import WallboardView, WallboardWindow
from services.api.wallboard.service import FRESH_S, WallboardService

router = APIRouter(route_class=StrictRoute, prefix="/v1/wall", tags=["monitoring"])


@router.get(
    "",
    response_model=WallboardView,
    responses={304: {"description": "Nothing newer than your If-None-Match."}},
)
def read_wall(
    caller: CallerDep,
    transaction: TransactionDep,
    dependencies: DependenciesDep,
    window: Annotated[
        WallboardWindow, Query(description="Length of the window up to now.")
    ] = WallboardWindow.QUARTER,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return throughput, waiting jobs, latency from submission to result, failures and workers, in
    total and by hospital.

    Every caller may read the wallboard. Operators and auditors see every hospital. Other callers
    see their own hospital, and all hospitals together without names. SERA reads the data at most
    every 3 s (every 15 s for a window of a day), even if many clients poll. Poll with the latest
    `ETag` in `If-None-Match`. Status 304 means that there are no newer data. `as_of` is the time of
    the data.
    """
    service = WallboardService(transaction, caller, dependencies)
    return conditional_response(service.answer(window), if_none_match, FRESH_S[window])
