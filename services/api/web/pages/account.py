"""One's own account: password, authenticator, signing out."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import WiringDep
from services.api.web.shell import PagePerson, pages, show
from shared.passwords import LEAST

router = pages()


@router.get("/account", response_class=HTMLResponse)
def account_page(request: Request, visitor: PagePerson, wired: WiringDep) -> HTMLResponse:
    with wired.ledger.system_session(visitor.caller.actor) as session:
        person = session.people.find(visitor.caller.person)
    return show(request, visitor, "account.html", person=person, least=LEAST)
