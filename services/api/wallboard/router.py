"""Route of the wallboard's figures, for its page and for dashboards of others."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.dependencies import CallerDep, DependenciesDep, TransactionDep
from services.api.monitoring.dashboards import IfNoneMatch, conditional_response
from services.api.wallboard.schemas import WallboardView, WallboardWindow
from services.api.wallboard.service import FRESH_S, WallboardService

router = APIRouter(prefix="/v1/wall", tags=["monitoring"])


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
    """Throughput, waiting jobs, latency from submission to result, failures and workers, in total
    and by hospital.

    Every key and every session may read it. Operators and auditors see every hospital. Others see
    their own, and all hospitals together without names. SERA reads the data at most every 3 s, for
    a day every 15 s, however many clients poll. Poll with the last `ETag` in `If-None-Match`: 304
    means that there is no newer data. `as_of` is the time of the data.
    """
    service = WallboardService(transaction, caller, dependencies)
    return conditional_response(service.answer(window), if_none_match, FRESH_S[window])
