"""The audit trail: page by page, or whole as a file."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from services.api.audit.service import export
from services.api.dependencies import Auditor, WiringDep
from shared.ledger.audit import Recorded

router = APIRouter(prefix="/v1", tags=["audit"])
LINES = "application/x-ndjson"


class EventView(BaseModel):
    """Who did what, when, from where."""

    id: int
    at: datetime
    actor: str = Field(description="The key, or the service, that did it.")
    origin: str | None = Field(description="Address the request came from; null where no request did.")
    event: str
    hospital_id: UUID | None
    case_id: UUID | None
    job_id: UUID | None
    details: dict[str, Any]
    number: int = Field(description="Place in the chain of its hospital, or in the house's; without gaps from 1.")
    hash: str = Field(description="SHA-256 over this event and the hash before it.")


def view(recorded: Recorded) -> EventView:
    return EventView(**vars(recorded))


@router.get("/audit")
def read_audit(
    wired: WiringDep,
    who: Auditor,
    after: Annotated[int, Query(ge=0, description="The last id seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EventView]:
    """Oldest first; a hospital's key sees its own hospital's events only."""
    if who.hospital_id:
        with wired.ledger.scoped(who.hospital_id, who.actor) as book:
            return [view(each) for each in book.audit.page(after, limit)]
    with wired.ledger.whole(who.actor) as house:
        return [view(each) for each in house.audit.page(after, limit)]


@router.get(
    "/audit/export",
    response_class=Response,
    responses={200: {"content": {LINES: {}}, "description": "JSON lines, for `./sera audit verify --file`."}},
)
def export_audit(
    wired: WiringDep,
    who: Auditor,
    hospital: Annotated[UUID | None, Query(description="Only this hospital's; a hospital's key gets its own.")] = None,
) -> Response:
    """Every event in its chain's order, then the signed seals: a file that is proven without SERA's database."""
    name = {"Content-Disposition": 'attachment; filename="sera-audit.jsonl"'}
    return StreamingResponse(export(wired, who, hospital), media_type=LINES, headers=name)
