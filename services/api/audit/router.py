"""The audit trail: page by page, or whole as a file."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from services.api.audit.schemas import EventView, ProofView
from services.api.audit.service import AuditService, AuditQuery, export
from services.api.dependencies import (
    Auditor,
    CallerSessionDep,
    DependenciesDep,
    SystemSessionDep,
)
from services.api.text import PlainText
from shared.domain.audit.events import Event

router = APIRouter(prefix="/v1", tags=["audit"])
LINES = "application/x-ndjson"
MAX_EVENT_ID = 2**63 - 1


def audit_service(caller: Auditor, session: CallerSessionDep) -> AuditService:
    return AuditService(session, caller)


def audit_query(
    hospital: Annotated[PlainText | None, Query(description="By name or id.")] = None,
    event: Annotated[Event | None, Query(description="Of this kind.")] = None,
    actor: Annotated[
        PlainText | None, Query(description="Of this actor, as it stands in events.")
    ] = None,
    case: Annotated[UUID | None, Query(description="About this case.")] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="From this moment on.")
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="Before this moment.")
    ] = None,
) -> AuditQuery:
    return AuditQuery(hospital, event, actor, case, since, until)


AuditServiceDep = Annotated[AuditService, Depends(audit_service)]
AuditQueryDep = Annotated[AuditQuery, Depends(audit_query)]
Newest = Annotated[bool, Query(description="Newest first, from before `before`.")]


@router.get("/audit")
def read_audit(
    service: AuditServiceDep,
    question: AuditQueryDep,
    after: Annotated[int, Query(ge=0, le=MAX_EVENT_ID, description="The last id seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    newest: Newest = False,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_EVENT_ID, description="The last id seen, newest first.")
    ] = None,
) -> list[EventView]:
    """Oldest first unless asked otherwise; a hospital's key sees its own hospital's events only."""
    if newest:
        return service.newest(question, before, limit)
    return service.page(question, after, limit)


@router.get("/audit/verify")
def verify_audit(
    service: AuditServiceDep,
    dependencies: DependenciesDep,
    cursor: Annotated[
        str | None, Query(max_length=300, description="`next` of the answer before.")
    ] = None,
) -> ProofView:
    """Prove a part of the trail's chains, some seconds of work; `next` goes on until it is null."""
    return service.verify(cursor, dependencies.ledger, dependencies.settings)


@router.get(
    "/audit/export",
    response_class=Response,
    responses={
        200: {
            "content": {LINES: {}},
            "description": "JSON lines, for `./sera audit verify --file`.",
        }
    },
)
def export_audit(
    caller: Auditor,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
    hospital: Annotated[
        UUID | None,
        Query(description="Only this hospital's; a hospital's key gets its own."),
    ] = None,
) -> Response:
    """Every event in its chain's order, then the signed seals: a file that is proven without SERA's database."""
    name = {"Content-Disposition": 'attachment; filename="sera-audit.jsonl"'}
    lines = export(session, dependencies.ledger, caller, hospital)
    return StreamingResponse(lines, media_type=LINES, headers=name)
