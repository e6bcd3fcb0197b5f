"""The queue: waiting cases, workers, and failed cases by reason."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.queue.service import QueueService
from services.api.text import PlainText
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, page_router

router = page_router()


@router.get("/console/queue", response_class=HTMLResponse)
def queue_page(
    request: Request,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    dependencies: DependenciesDep,
    reason: PlainText = "",
) -> HTMLResponse:
    service = QueueService(session, dependencies.notifier)
    dead_letters = service.dead_letters(reason) if reason else []
    return render_console(
        request,
        visitor,
        "queue.html",
        queue=service.read(),
        reason=reason,
        dead_letters=dead_letters,
    )
