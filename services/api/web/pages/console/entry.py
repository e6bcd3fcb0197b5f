"""The way into the console: the first section that a person may open."""

from fastapi.responses import RedirectResponse

from services.api.web.console import SECTIONS
from services.api.web.navigation import permitted_entries
from services.api.web.page import PagePerson, pages
from shared.domain.roles import Role
from shared.errors import Forbidden

router = pages()


@router.get("/console", response_class=RedirectResponse)
def console_page(visitor: PagePerson) -> RedirectResponse:
    """Raises Forbidden for whoever may open none."""
    found = permitted_entries(visitor.caller, SECTIONS)
    if not found:
        raise Forbidden(
            role=visitor.caller.role,
            needed=f"{Role.HOSPITAL_ADMIN}, {Role.OPERATOR} or {Role.AUDITOR}",
        )
    return RedirectResponse(found[0].path, 303)
