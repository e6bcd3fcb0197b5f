"""The console: pages of those who run SERA or a hospital, with one way between them for each role."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.web.navigation import Entry, entries
from services.api.web.page import Visitor, show
from shared.domain.roles import Act

SECTIONS = (
    Entry("/console/hospitals", "hospitals.title", [Act.OPERATE]),
    Entry("/console/hospital", "hospitals.own", [Act.ADMINISTER]),
    Entry("/console/people", "people.title", [Act.MANAGE_PEOPLE]),
    Entry("/console/keys", "keys.title", [Act.MANAGE_KEYS]),
    Entry("/console/datasets", "datasets.title", [Act.OPERATE]),
    Entry("/console/runs", "runs.title", [Act.OPERATE]),
    Entry("/console/models", "models.title", [Act.OPERATE]),
    Entry("/console/queue", "queue.title", [Act.OPERATE]),
    Entry("/console/monitoring", "monitoring.title", [Act.MONITOR]),
    Entry("/console/audit", "audit.title", [Act.AUDIT]),
)


def show_console(
    request: Request, visitor: Visitor, template: str, /, **facts: object
) -> HTMLResponse:
    """A page of the console, with the sections that this person may open."""
    return show(
        request, visitor, template, sections=entries(visitor.caller, SECTIONS), **facts
    )
