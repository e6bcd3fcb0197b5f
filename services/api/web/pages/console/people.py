"""People who sign in: new ones, other roles, one-time passwords, disabled accounts."""

from functools import partial

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.people.service import PeopleService
from services.api.web.actors import hospital_names, grantable_roles, grantable_roles_within
from services.api.web.console import render_console
from services.api.web.page import PageCallerSessionDep, PagePersonKeeper, pages

router = pages()


@router.get("/console/people", response_class=HTMLResponse)
def people_page(
    request: Request, visitor: PagePersonKeeper, session: PageCallerSessionDep
) -> HTMLResponse:
    caller = visitor.caller
    return render_console(
        request,
        visitor,
        "people.html",
        people=PeopleService(session, caller).all(),
        roles=grantable_roles(caller),
        homes=hospital_names(session),
        roles_within=partial(grantable_roles_within, caller),
    )
