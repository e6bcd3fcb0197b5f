"""People who sign in: add them, change roles, reset passwords, disable accounts."""

from functools import partial

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.people.service import PeopleService
from services.api.web.actors import (
    grantable_roles,
    grantable_roles_within,
    hospital_names,
)
from services.api.web.console import render_console
from services.api.web.page import PageCallerSessionDep, PagePeopleManager, page_router

router = page_router()


@router.get("/console/people", response_class=HTMLResponse)
def people_page(
    request: Request, visitor: PagePeopleManager, session: PageCallerSessionDep
) -> HTMLResponse:
    caller = visitor.caller
    return render_console(
        request,
        visitor,
        "people.html",
        people=PeopleService(session, caller).all(),
        roles=grantable_roles(caller),
        hospital_names=hospital_names(session),
        roles_within=partial(grantable_roles_within, caller),
    )
