"""The audit trail, newest first, with verification and export."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditQuery, AuditService
from services.api.web.actors import actor_names, hospital_names
from services.api.web.console import render_console
from services.api.web.forms import (
    BlankAsNone,
    DayFilter,
    TextFilter,
    day_end,
    day_start,
)
from services.api.web.page import PageAuditor, PageCallerSessionDep, page_router
from shared.domain.audit.events import Event

router = page_router()
PAGE_SIZE = 100
MAX_EVENT_ID = 2**63 - 1


@dataclass(frozen=True)
class Filters:
    """The values of the filter form."""

    hospital: str | None
    event: Event | None
    actor: str | None
    case: UUID | None
    since: date | None
    until: date | None

    def non_empty(self) -> dict[str, object]:
        """The values of the fields that are not empty, by their names in the address."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def query(self) -> AuditQuery:
        return AuditQuery(
            hospital=self.hospital,
            event=self.event,
            actor=self.actor,
            case=self.case,
            since=day_start(self.since),
            until=day_end(self.until),
        )


def filters(
    hospital: TextFilter = None,
    event: Annotated[Event | None, BlankAsNone, Query()] = None,
    actor: TextFilter = None,
    case: Annotated[UUID | None, BlankAsNone, Query()] = None,
    since: DayFilter = None,
    until: DayFilter = None,
) -> Filters:
    return Filters(
        hospital=hospital, event=event, actor=actor, case=case, since=since, until=until
    )


FiltersDep = Annotated[Filters, Depends(filters)]


@router.get("/console/audit", response_class=HTMLResponse)
def audit_page(
    request: Request,
    visitor: PageAuditor,
    session: PageCallerSessionDep,
    filters: FiltersDep,
    before: Annotated[int | None, Query(ge=1, le=MAX_EVENT_ID)] = None,
) -> HTMLResponse:
    service = AuditService(session, visitor.caller)
    events = service.newest(filters.query(), before, PAGE_SIZE + 1)
    filter_values = filters.non_empty()
    next_page_query: str | None = None
    if len(events) > PAGE_SIZE:
        last_event = events[PAGE_SIZE - 1]
        next_page_query = urlencode(filter_values | {"before": last_event.id})
    return render_console(
        request,
        visitor,
        "audit.html",
        events=events[:PAGE_SIZE],
        filters=filter_values,
        kinds=sorted(Event),
        next_page_query=next_page_query,
        actor_names=actor_names(session, visitor.caller),
        hospital_names=hospital_names(session),
    )
