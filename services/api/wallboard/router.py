"""The wall's figures, for dashboards and for those who build their own."""

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
        WallboardWindow, Query(description="How far back to look.")
    ] = WallboardWindow.QUARTER,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Throughput, waiting, times from submit to result, failures, workers, and each hospital's part.

    For whoever has a key or a session, a reader's screen on the wall too. Operators and auditors see every hospital;
    others their own, and the house as a whole without names. Read at most every 3 s (a day's every 15 s) however many
    ask: poll with the last `ETag` in `If-None-Match`, and a 304 says that there is no newer reading yet. `as_of` says
    how old one is.
    """
    service = WallboardService(transaction, caller, dependencies)
    return conditional_response(service.answer(window), if_none_match, FRESH_S[window])
