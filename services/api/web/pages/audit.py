"""The audit trail, newest first, with its proof and its export."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.api.audit.service import AuditDesk, Question
from services.api.dependencies import WiringDep
from services.api.web.actors import homes, names
from services.api.web.console import show_console
from services.api.web.forms import Blank, Day, Words, beginning, end
from services.api.web.shell import PageAuditor, pages
from shared.domain.events import Event

router = pages()
SHOWN, MOST = 100, 2**63 - 1


def filters(
    hospital: Words = None,
    event: Annotated[Event | None, Blank, Query()] = None,
    actor: Words = None,
    case: Annotated[UUID | None, Blank, Query()] = None,
    since: Day = None,
    until: Day = None,
) -> dict[str, object]:
    """What the form was filled in with."""
    told = {
        "hospital": hospital,
        "event": event,
        "actor": actor,
        "case": case,
        "since": since,
        "until": until,
    }
    return {name: value for name, value in told.items() if value is not None}


Filters = Annotated[dict[str, object], Depends(filters)]


@router.get("/console/audit", response_class=HTMLResponse)
def audit_page(
    request: Request,
    visitor: PageAuditor,
    wired: WiringDep,
    asked: Filters,
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
) -> HTMLResponse:
    found = AuditDesk(wired, visitor.caller).newest(question(asked), before, SHOWN + 1)
    older = urlencode(asked | {"before": found[SHOWN - 1].id}) if len(found) > SHOWN else None
    facts = {"events": found[:SHOWN], "asked": asked, "kinds": sorted(Event), "older": older}
    facts |= {"names": names(wired, visitor.caller), "homes": homes(wired, visitor.caller)}
    return show_console(request, visitor, "audit.html", **facts)


def question(asked: dict[str, object]) -> Question:
    return Question(
        **asked | {"since": beginning(asked.get("since")), "until": end(asked.get("until"))}
    )
