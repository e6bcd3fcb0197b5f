"""What waits, who works, and what failed by its reason."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.queue.service import QueueService
from services.api.text import PlainText
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, pages

router = pages()


@router.get("/console/queue", response_class=HTMLResponse)
def queue_page(
    request: Request,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    wired: DependenciesDep,
    reason: PlainText = "",
) -> HTMLResponse:
    service = QueueService(session, wired.notifier)
    letters = service.dead_letters(reason) if reason else []
    return render_console(
        request,
        visitor,
        "queue.html",
        queue=service.read(),
        reason=reason,
        letters=letters,
    )
