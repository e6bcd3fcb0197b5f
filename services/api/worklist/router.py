"""Routes of the worklist: a hospital's cases page by page, or all as a CSV file."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.api.dependencies import (
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
)
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from services.api.worklist.export import COLUMNS, export_rows
from services.api.worklist.schemas import WorklistPage, WorklistPageQuery, WorklistQuery
from services.api.worklist.service import WorklistService

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["cases"])
CSV = "text/csv"
COLUMN_TEXTS = [f"`{name}` ({meaning})" for name, meaning in COLUMNS.items()]
CSV_DESCRIPTION = "UTF-8 with a byte order mark. Columns: " + "; ".join(COLUMN_TEXTS)


@router.get("/cases")
def list_cases(
    query: Annotated[WorklistPageQuery, Query()],
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> WorklistPage:
    """Return the cases of this hospital that match the filters, without erased cases."""
    return WorklistService(session, caller, dependencies.read_audit).page(query)


@router.get(
    "/cases.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": f"{CSV_DESCRIPTION}."}},
    dependencies=[hold_place(RoutePool.EXPORTS)],
)
def export_cases(
    query: Annotated[WorklistQuery, Query()],
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> Response:
    """Return all matching cases as a CSV file, without answers that are withheld from the caller. A
    cell that a spreadsheet would treat as a formula begins with '.
    """
    headers = {"Content-Disposition": 'attachment; filename="sera-cases.csv"'}
    filters = replace(query.filters(), person=caller.person)
    return StreamingResponse(
        export_rows(session, dependencies.ledger, filters),
        media_type=f"{CSV}; charset=utf-8",
        headers=headers,
    )
