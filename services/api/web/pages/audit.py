"""The audit trail, newest first, with its proof and its export."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from services.api.audit.service import AuditDesk, Question
from services.api.dependencies import Wiring, WiringDep
from services.api.keys.service import KeyDesk
from services.api.people.service import PeopleDesk
from services.api.text import OptionalText
from services.api.web.console import show_console
from services.api.web.shell import PageAuditor, pages
from shared.domain.events import Event
from shared.domain.roles import MAY, Act
from shared.ledger.hospitals import Caller

router = pages()
SHOWN, MOST = 100, 2**63 - 1
Blank = BeforeValidator(lambda told: told or None)
"""A field of the form that was left empty."""
Words = Annotated[OptionalText, Query()]
Day = Annotated[date | None, Blank, Query()]


def filters(
    hospital: Words = None,
    event: Annotated[Event | None, Blank, Query()] = None,
    actor: Words = None,
    case: Annotated[UUID | None, Blank, Query()] = None,
    since: Day = None,
    until: Day = None,
) -> dict[str, object]:
    """What the form was filled in with."""
    told = {"hospital": hospital, "event": event, "actor": actor, "case": case, "since": since, "until": until}
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
    """Whole days, UTC; the last one is among them."""
    days = {name: datetime.combine(asked[name], time(), UTC) for name in ("since", "until") if name in asked}
    if "until" in days:
        days["until"] += timedelta(days=1)
    return Question(**asked | days)


def names(wired: Wiring, caller: Caller) -> dict[str, str]:
    """People and keys, by what events call them; whoever may only read the trail gets it as it stands."""
    known: dict[str, str] = {}
    if Act.MANAGE_PEOPLE in MAY[caller.role]:
        known |= {f"person:{each.id}": each.name for each in PeopleDesk(wired, caller).all()}
    if Act.MANAGE_KEYS in MAY[caller.role]:
        known |= {f"key:{each.id}": each.label for each in KeyDesk(wired, caller).all()}
    return known


def homes(wired: Wiring, caller: Caller) -> list[str]:
    """Hospitals to choose from; a hospital's own staff has no choice."""
    if caller.hospital_id:
        return []
    with wired.ledger.whole(caller.actor) as house:
        return [each.name for each in house.hospitals.all()]
