"""Routes of the audit trail: page by page, verified, or exported as a file."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from services.api.audit.schemas import EventView, VerificationView
from services.api.audit.service import AuditQuery, AuditService, export
from services.api.dependencies import (
    Auditor,
    CallerSessionDep,
    DependenciesDep,
    SystemSessionDep,
)
from services.api.moments import Moment
from services.api.route_pools import RoutePool, hold_place
from services.api.strict_requests import StrictRoute
from services.api.text import PlainText
from shared.domain.audit.events import Event

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["audit"])
JSON_LINES = "application/x-ndjson"
MAX_EVENT_ID = 2**63 - 1


def audit_service(caller: Auditor, session: CallerSessionDep) -> AuditService:
    return AuditService(session, caller)


def audit_query(
    hospital: Annotated[
        PlainText | None, Query(description="Events of this hospital, by name or id.")
    ] = None,
    event: Annotated[Event | None, Query(description="Events of this kind.")] = None,
    actor: Annotated[
        PlainText | None,
        Query(description="Events of this actor. Use the name that events contain."),
    ] = None,
    case: Annotated[UUID | None, Query(description="Events about this case.")] = None,
    since: Annotated[
        Moment | None, Query(description="Events at or after this time.")
    ] = None,
    until: Annotated[
        Moment | None, Query(description="Events before this time.")
    ] = None,
) -> AuditQuery:
    return AuditQuery(
        hospital=hospital,
        event=event,
        actor=actor,
        case=case,
        since=since,
        until=until,
    )


AuditServiceDep = Annotated[AuditService, Depends(audit_service)]
AuditQueryDep = Annotated[AuditQuery, Depends(audit_query)]
Newest = Annotated[
    bool,
    Query(
        description="Return the newest events first. `before` then selects the page."
    ),
]


@router.get("/audit")
def read_audit(
    service: AuditServiceDep,
    query: AuditQueryDep,
    after: Annotated[
        int,
        Query(
            ge=0,
            le=MAX_EVENT_ID,
            description="Return events with a greater id. Send the "
            "id of the last event of the previous page.",
        ),
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    newest: Newest = False,
    before: Annotated[
        int | None,
        Query(
            ge=1,
            le=MAX_EVENT_ID,
            description="With `newest`: return events with a smaller id. "
            "Send the id of the last event of the previous "
            "page.",
        ),
    ] = None,
) -> list[EventView]:
    """Return a page of events of the audit trail, oldest first by default. A caller of a hospital
    sees only the events of that hospital.
    """
    if newest:
        return service.newest(query, before, limit)
    return service.page(query, after, limit)


@router.get("/audit/verify", dependencies=[hold_place(RoutePool.VERIFICATION)])
def verify_audit(
    service: AuditServiceDep,
    dependencies: DependenciesDep,
    cursor: Annotated[
        str | None,
        Query(max_length=300, description="`next` of the previous response."),
    ] = None,
) -> VerificationView:
    """Verify a part of the audit trail, for a few seconds. To verify the rest, repeat the request
    with `next` as `cursor` until `next` is null.
    """
    return service.verify(cursor, dependencies)


@router.get(
    "/audit/export",
    response_class=Response,
    responses={
        200: {
            "content": {JSON_LINES: {}},
            "description": "Events and seals as JSON lines. `./sera audit verify --file` verifies "
            "the file.",
        }
    },
    dependencies=[hold_place(RoutePool.EXPORTS)],
)
def export_audit(
    caller: Auditor,
    session: SystemSessionDep,
    dependencies: DependenciesDep,
    hospital: Annotated[
        UUID | None,
        Query(
            description="Events of this hospital. A caller of a hospital may only request the "
            "events of that hospital."
        ),
    ] = None,
) -> Response:
    """Export all events in the order of their chain, then the signed seals. The file can be
    verified without the database.
    """
    headers = {"Content-Disposition": 'attachment; filename="sera-audit.jsonl"'}
    lines = export(session, dependencies.ledger, caller, hospital)
    return StreamingResponse(lines, media_type=JSON_LINES, headers=headers)
