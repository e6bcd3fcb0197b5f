"""The page of a new case: nodule size, image with its ROI, description and options."""

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.api.dependencies import DependenciesDep, TransactionDep
from services.api.web.navigation import permitted_entries
from services.api.web.page import (
    PagePerson,
    page_hospital_session,
    page_router,
    render,
)
from services.api.web.pages.description import description_facts
from shared.domain.roles import Permission, roles_with
from shared.domain.typed_sizes import MAX_MM
from shared.errors import Forbidden

router = page_router()


@router.get("/", response_class=HTMLResponse)
def reader_page(
    request: Request,
    visitor: PagePerson,
    transaction: TransactionDep,
    dependencies: DependenciesDep,
) -> Response:
    """The form of a new case.

    A visitor who may not submit is redirected to the first page that they may open.
    """
    if visitor.may(Permission.SUBMIT):
        session = page_hospital_session(transaction, visitor)
        facts = description_facts(session, dependencies.settings, visitor)
        return render(request, visitor, "reader.html", largest_mm=MAX_MM, **facts)
    entries = permitted_entries(visitor.caller)
    if not entries:
        raise Forbidden(role=visitor.caller.role, needed=roles_with(Permission.SUBMIT))
    return RedirectResponse(entries[0].path, 303)
