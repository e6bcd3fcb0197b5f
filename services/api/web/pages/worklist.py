"""The worklist: a hospital's cases as asked for, live while any is unfinished; its dead letters; outcomes, erasing."""

from hashlib import sha256
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.api.dependencies import DependenciesDep
from services.api.web.page import (
    PageHospitalSessionDep,
    PageReader,
    SignedInVisitor,
    pages,
    show,
)
from services.api.worklist.schemas import Decision, WorklistPageQuery
from services.api.worklist.service import WorklistService
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import FINAL_STATES, JobState, Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.roles import Permission
from shared.ledger.cases.worklist import Order, OutcomeFilter

router = pages()
HERE = "/worklist"
CHOICES = {
    "states": list(JobState),
    "decisions": get_args(Decision),
    "outcomes": list(OutcomeFilter),
    "priorities": list(Priority),
    "orders": list(Order),
    "sources": list(OutcomeSource),
    "grounds": list(ErasureReason),
}
SIGNS = {
    "queued": "…",
    "running": "▸",
    "done": "✓",
    "failed": "✕",
    "cancelled": "–",
    "benign": "○",
    "malignant": "●",
    "refer": "?",
}
"""What stands before a state's or decision's word, so that a list can be skimmed without its colours."""
Asked = Annotated[WorklistPageQuery, Query()]


def worklist_service(
    visitor: PageReader, session: PageHospitalSessionDep, wired: DependenciesDep
) -> WorklistService:
    return WorklistService(session, visitor.caller, wired.read_audit)


WorklistServiceDep = Annotated[WorklistService, Depends(worklist_service)]


@router.get(HERE, response_class=HTMLResponse)
def worklist_page(
    request: Request, question: Asked, visitor: PageReader, service: WorklistServiceDep
) -> HTMLResponse:
    facts = _facts(question, visitor, service)
    return show(request, visitor, "worklist.html", **facts, **CHOICES)


@router.get(f"{HERE}/rows", response_class=HTMLResponse)
def worklist_rows(
    request: Request,
    question: Asked,
    visitor: PageReader,
    service: WorklistServiceDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The part of the page that changes while cases are read."""
    answer = show(
        request, visitor, "worklist-rows.html", **_facts(question, visitor, service)
    )
    answer.headers["ETag"] = tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
    return (
        Response(status_code=304, headers={"ETag": tag})
        if if_none_match == tag
        else answer
    )


def _facts(
    question: WorklistPageQuery, visitor: SignedInVisitor, service: WorklistService
) -> dict[str, Any]:
    page = service.page(question)
    asked = told(question)
    return {
        "asked": asked,
        "page": page,
        "unfinished": any(line.state not in FINAL_STATES for line in page.cases),
        "dead": service.dead_letters(),
        "reruns": visitor.may(Permission.RERUN),
        "tells": visitor.may(Permission.SUBMIT),
        "erases": visitor.may(Permission.ADMINISTER),
        "signs": SIGNS,
        "csv": f"/v1/cases.csv?{urlencode(asked)}",
        "first": f"{HERE}?{urlencode(asked)}" if question.cursor else None,
        "next": page.next_cursor
        and f"{HERE}?{urlencode(asked | {'cursor': page.next_cursor})}",
        "here": urlencode(
            asked | ({"cursor": question.cursor} if question.cursor else {})
        ),
    }


def told(question: WorklistPageQuery) -> dict[str, str]:
    """What a question asks for, as an address has it."""
    given = question.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"cursor", "limit"}
    )
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in given.items()
    }
