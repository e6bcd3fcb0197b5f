"""The audit trail, newest first, with its proof and its export."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditService, AuditQuery
from services.api.web.actors import hospital_names, actor_names
from services.api.web.console import render_console
from services.api.web.forms import BlankAsNone, DayFilter, TextFilter, day_start, day_end
from services.api.web.page import PageAuditor, PageCallerSessionDep, pages
from shared.domain.audit.events import Event

router = pages()
SHOWN = 100
MOST = 2**63 - 1


@dataclass(frozen=True)
class Filters:
    """What the form was filled in with."""

    hospital: str | None
    event: Event | None
    actor: str | None
    case: UUID | None
    since: date | None
    until: date | None

    def chosen(self) -> dict[str, object]:
        """The fields that were not left empty, by their names in the address."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def question(self) -> AuditQuery:
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
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
) -> HTMLResponse:
    events = AuditService(session, visitor.caller).newest(
        filters.question(), before, SHOWN + 1
    )
    chosen = filters.chosen()
    older = (
        urlencode(chosen | {"before": events[SHOWN - 1].id})
        if len(events) > SHOWN
        else None
    )
    return render_console(
        request,
        visitor,
        "audit.html",
        events=events[:SHOWN],
        asked=chosen,
        kinds=sorted(Event),
        older=older,
        names=actor_names(session, visitor.caller),
        homes=hospital_names(session),
    )
