"""The page of a new case: nodule size, image with its ROI, reset, and off to be read."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.api.cases.router import MAX_SIZE_MM
from services.api.web.navigation import permitted_entries
from services.api.web.page import PagePerson, pages, show
from shared.domain.roles import Permission, roles_with
from shared.errors import Forbidden
from shared.guidelines import TERMS_BY_FIELD, Focus

router = pages()


@router.get("/", response_class=HTMLResponse)
def reader_page(request: Request, visitor: PagePerson) -> Response:
    """Whoever may not submit is sent to the first page that they may open."""
    if visitor.may(Permission.SUBMIT):
        return show(
            request,
            visitor,
            "reader.html",
            largest_mm=MAX_SIZE_MM,
            lexicon=TERMS_BY_FIELD,
            foci=Focus,
        )
    if others := permitted_entries(visitor.caller):
        return RedirectResponse(others[0].path, 303)
    raise Forbidden(role=visitor.caller.role, needed=roles_with(Permission.SUBMIT))
