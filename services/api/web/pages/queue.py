"""What waits, who works, and what failed by its reason."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import WiringDep
from services.api.queue.service import QueueDesk
from services.api.text import PlainText
from services.api.web.console import show_console
from services.api.web.shell import PageOperator, pages

router = pages()


@router.get("/console/queue", response_class=HTMLResponse)
def queue_page(
    request: Request, visitor: PageOperator, wired: WiringDep, reason: PlainText = ""
) -> HTMLResponse:
    desk = QueueDesk(wired, visitor.caller)
    letters = desk.dead_letters(reason) if reason else []
    return show_console(
        request, visitor, "queue.html", queue=desk.read(), reason=reason, letters=letters
    )
