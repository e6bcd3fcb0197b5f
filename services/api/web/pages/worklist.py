"""The worklist: a hospital's cases by filters, dead letters, outcomes and erasure.

The rows refresh while a case is unfinished.
"""

from hashlib import sha256
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.api.dependencies import DependenciesDep
from services.api.reports.sentences import risk_percent
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    SignedInVisitor,
    page_router,
    render,
)
from services.api.worklist.schemas import Decision, WorklistPageQuery
from services.api.worklist.service import WorklistService
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import FINAL_STATES, JobState, Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.roles import Permission
from shared.ledger.cases.worklist import Order, OutcomeFilter

router = page_router()
PATH = "/worklist"
CHOICES = {
    "states": list(JobState),
    "decisions": get_args(Decision),
    "outcomes": list(OutcomeFilter),
    "priorities": list(Priority),
    "orders": list(Order),
    "sources": list(OutcomeSource),
    "grounds": list(ErasureReason),
}
SYMBOLS = {
    "queued": "…",
    "running": "▸",
    "done": "✓",
    "failed": "✕",
    "cancelled": "–",
    "benign": "○",
    "malignant": "●",
}
"""The symbol before a state or outcome, so that a list can be skimmed without its colours."""
WorklistPageQueryDep = Annotated[WorklistPageQuery, Query()]


def worklist_service(
    visitor: PageReader, session: PageHospitalSessionDep, dependencies: DependenciesDep
) -> WorklistService:
    return WorklistService(session, visitor.caller, dependencies.read_audit)


WorklistServiceDep = Annotated[WorklistService, Depends(worklist_service)]


@router.get(PATH, response_class=HTMLResponse)
def worklist_page(
    request: Request,
    query: WorklistPageQueryDep,
    visitor: PageReader,
    service: WorklistServiceDep,
) -> HTMLResponse:
    facts = _facts(query, visitor, service)
    return render(request, visitor, "worklist.html", **facts, **CHOICES)


@router.get(f"{PATH}/rows", response_class=HTMLResponse)
def worklist_rows(
    request: Request,
    query: WorklistPageQueryDep,
    visitor: PageReader,
    service: WorklistServiceDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The part of the page that changes while cases are read; 304 if it has not changed."""
    facts = _facts(query, visitor, service)
    response = render(request, visitor, "worklist-rows.html", **facts)
    etag = f'"{sha256(response.body).hexdigest()[:32]}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return response


def _facts(
    query: WorklistPageQuery, visitor: SignedInVisitor, service: WorklistService
) -> dict[str, Any]:
    """The variables of the template."""
    page = service.page(query)
    filters = query_parameters(query)
    page_parameters = dict(filters)
    if query.cursor:
        page_parameters["cursor"] = query.cursor
    first_page_url: str | None = None
    if query.cursor:
        first_page_url = _page_url(filters)
    next_page_url: str | None = None
    if page.next_cursor:
        next_page_url = _page_url(filters | {"cursor": page.next_cursor})
    return {
        "filters": filters,
        "page": page,
        "unfinished": any(line.state not in FINAL_STATES for line in page.cases),
        "dead_letters": service.dead_letters(),
        "may_rerun": visitor.may(Permission.RERUN),
        "may_record_outcome": visitor.may(Permission.SUBMIT),
        "may_erase": visitor.may(Permission.ADMINISTER),
        "symbols": SYMBOLS,
        "risk_percent": risk_percent,
        "csv_url": f"/v1/cases.csv?{urlencode(filters)}",
        "first_page_url": first_page_url,
        "next_page_url": next_page_url,
        "query": urlencode(page_parameters),
    }


def _page_url(parameters: dict[str, str]) -> str:
    return f"{PATH}?{urlencode(parameters)}"


def query_parameters(query: WorklistPageQuery) -> dict[str, str]:
    """The filters of a query as query parameters, without cursor and page size."""
    filters = query.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"cursor", "limit"}
    )
    parameters: dict[str, str] = {}
    for name, value in filters.items():
        parameters[name] = str(value).lower() if isinstance(value, bool) else value
    return parameters
