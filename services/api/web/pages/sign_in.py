"""The page to sign in at, where a one-time password is changed for one's own."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.session.errors import PROBLEMS
from services.api.web.page import VisitorDep, pages, show
from shared.security.passwords import LEAST

router = pages()


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(
    request: Request, wired: DependenciesDep, visitor: VisitorDep, problem: str = ""
) -> HTMLResponse:
    told = PROBLEMS.get(problem, "")
    return show(
        request,
        visitor,
        "sign-in.html",
        least=LEAST,
        problem=told,
        provider=wired.provider,
    )
