"""The page of a new case: nodule size, image with its ROI, reset, and off to be read."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.api.cases.router import MAX_SIZE_MM
from services.api.web.navigation import entries
from services.api.web.page import PagePerson, pages, show
from shared.domain.roles import Act, needed_for
from shared.errors import Forbidden
from shared.guidelines import CHOICES, Focus

router = pages()


@router.get("/", response_class=HTMLResponse)
def reader_page(request: Request, visitor: PagePerson) -> Response:
    """Whoever may not submit is sent to the first page that they may open."""
    if visitor.may(Act.SUBMIT):
        return show(
            request,
            visitor,
            "reader.html",
            largest_mm=MAX_SIZE_MM,
            lexicon=CHOICES,
            foci=Focus,
        )
    if others := entries(visitor.caller):
        return RedirectResponse(others[0].path, 303)
    raise Forbidden(role=visitor.caller.role, needed=needed_for(Act.SUBMIT))
