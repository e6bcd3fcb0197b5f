"""The entry of the console, which redirects to its first section."""

from fastapi.responses import RedirectResponse

from services.api.web.console import SECTIONS
from services.api.web.navigation import permitted_entries
from services.api.web.page import PagePerson, page_router
from shared.domain.roles import Role
from shared.errors import Forbidden

router = page_router()


@router.get("/console", response_class=RedirectResponse)
def console_page(visitor: PagePerson) -> RedirectResponse:
    """Redirects to the first section that the visitor may open.

    Raises Forbidden if there is none.
    """
    sections = permitted_entries(visitor.caller, SECTIONS)
    if not sections:
        raise Forbidden(
            role=visitor.caller.role,
            needed=f"{Role.HOSPITAL_ADMIN}, {Role.OPERATOR} or {Role.AUDITOR}",
        )
    return RedirectResponse(sections[0].path, 303)
