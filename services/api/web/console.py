"""The console: pages for operators, auditors and administrators, with a menu for each role."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.web.navigation import Entry, permitted_entries
from services.api.web.page import Visitor, render
from shared.domain.roles import Permission

SECTIONS = (
    Entry("/console/hospitals", "hospitals.title", [Permission.OPERATE]),
    Entry("/console/hospital", "hospitals.own", [Permission.ADMINISTER]),
    Entry("/console/people", "people.title", [Permission.MANAGE_PEOPLE]),
    Entry("/console/keys", "keys.title", [Permission.MANAGE_KEYS]),
    Entry("/console/datasets", "datasets.title", [Permission.OPERATE]),
    Entry("/console/runs", "runs.title", [Permission.OPERATE]),
    Entry("/console/models", "models.title", [Permission.OPERATE]),
    Entry("/console/queue", "queue.title", [Permission.OPERATE]),
    Entry("/console/monitoring", "monitoring.title", [Permission.MONITOR]),
    Entry("/console/audit", "audit.title", [Permission.AUDIT]),
)


def render_console(
    request: Request, visitor: Visitor, template: str, /, **facts: object
) -> HTMLResponse:
    """A page of the console with the menu of sections that the visitor may open."""
    return render(
        request,
        visitor,
        template,
        sections=permitted_entries(visitor.caller, SECTIONS),
        **facts,
    )
