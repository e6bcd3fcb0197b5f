"""The audit trail, page by page."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.api.dependencies import Auditor, WiringDep
from shared.ledger.audit import Recorded

router = APIRouter(prefix="/v1", tags=["audit"])


class EventView(BaseModel):
    id: int
    at: datetime
    actor: str
    event: str
    hospital_id: UUID | None
    case_id: UUID | None
    job_id: UUID | None
    details: dict[str, Any]


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
