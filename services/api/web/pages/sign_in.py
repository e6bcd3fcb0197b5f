"""The sign-in page, where a one-time password is replaced by the person's own."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.session.errors import PROBLEMS
from services.api.web.page import VisitorDep, page_router, render
from shared.security.passwords import MIN_LETTERS

router = page_router()


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(
    request: Request,
    dependencies: DependenciesDep,
    visitor: VisitorDep,
    problem: str = "",
) -> HTMLResponse:
    message = PROBLEMS.get(problem, "")
    return render(
        request,
        visitor,
        "sign-in.html",
        min_password_characters=MIN_LETTERS,
        problem=message,
        provider=dependencies.provider,
    )
