"""People who sign in: new ones, other roles, one-time passwords, disabled accounts."""

from functools import partial

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import WiringDep
from services.api.people.service import PeopleDesk
from services.api.web.actors import homes, roles, roles_within
from services.api.web.console import show_console
from services.api.web.shell import PagePersonKeeper, pages

router = pages()


@router.get("/console/people", response_class=HTMLResponse)
def people_page(request: Request, visitor: PagePersonKeeper, wired: WiringDep) -> HTMLResponse:
    caller = visitor.caller
    choices = {
        "roles": roles(caller),
        "homes": homes(wired, caller),
        "roles_within": partial(roles_within, caller),
    }
    return show_console(
        request, visitor, "people.html", people=PeopleDesk(wired, caller).all(), **choices
    )
