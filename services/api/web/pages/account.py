"""The visitor's own account: password, authenticator, signing out."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.web.page import PagePerson, PageSystemSessionDep, page_router, render
from shared.errors import Unauthenticated
from shared.security.passwords import MIN_LETTERS

router = page_router()


@router.get("/account", response_class=HTMLResponse)
def account_page(
    request: Request, visitor: PagePerson, session: PageSystemSessionDep
) -> HTMLResponse:
    if visitor.caller.person is None:
        raise Unauthenticated
    person = session.people.find(visitor.caller.person)
    return render(
        request,
        visitor,
        "account.html",
        person=person,
        min_password_characters=MIN_LETTERS,
    )
