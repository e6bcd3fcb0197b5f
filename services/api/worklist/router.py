"""The worklist: a hospital's cases page by page, or whole as a file."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.api.dependencies import (
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
)
from services.api.worklist.export import COLUMNS, export_rows
from services.api.worklist.schemas import WorklistPageQuery, WorklistQuery, WorklistPage
from services.api.worklist.service import WorklistService

router = APIRouter(prefix="/v1", tags=["cases"])
CSV = "text/csv"
TOLD = "UTF-8 with a byte order mark. Columns: " + "; ".join(
    f"`{name}` ({told})" for name, told in COLUMNS.items()
)


@router.get("/cases")
def list_cases(
    question: Annotated[WorklistPageQuery, Query()],
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> WorklistPage:
    """This hospital's cases, as asked for; erased ones are left out."""
    return WorklistService(session, caller, dependencies.read_audit).page(question)


@router.get(
    "/cases.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": f"{TOLD}."}},
)
def export_cases(
    question: Annotated[WorklistQuery, Query()],
    caller: HospitalReader,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> Response:
    """The same cases as a file for a spreadsheet, whole. A cell that a spreadsheet would compute begins with '."""
    name = {"Content-Disposition": 'attachment; filename="sera-cases.csv"'}
    return StreamingResponse(
        export_rows(session, dependencies.ledger, question.filters()),
        media_type=f"{CSV}; charset=utf-8",
        headers=name,
    )
