"""API keys: create (shown once), rotate with an overlap, revoke."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.keys.schemas import MAX_DAYS, MAX_OVERLAP_DAYS, YEAR_DAYS, Rotation
from services.api.keys.service import KeyService
from services.api.web.actors import grantable_roles, hospital_names
from services.api.web.console import render_console
from services.api.web.page import PageCallerSessionDep, PageKeyManager, page_router

router = page_router()
DAYS = {
    "year": YEAR_DAYS,
    "max": MAX_DAYS,
    "overlap": Rotation().overlap_days,
    "max_overlap": MAX_OVERLAP_DAYS,
}
SOON_DAYS = 30
"""A key that expires within this time is marked."""


@router.get("/console/keys", response_class=HTMLResponse)
def keys_page(
    request: Request, visitor: PageKeyManager, session: PageCallerSessionDep
) -> HTMLResponse:
    return render_console(
        request,
        visitor,
        "keys.html",
        keys=KeyService(session, visitor.caller).all(),
        now=session.api_keys.now(),
        days=DAYS,
        soon_days=SOON_DAYS,
        roles=grantable_roles(visitor.caller),
        hospital_names=hospital_names(session),
    )
