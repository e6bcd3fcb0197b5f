"""Many images at once: chosen, given their sizes, sent, and watched while they are read."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.text import MAX_BATCH_LABEL_LENGTH
from services.api.web.page import PageSubmitter, pages, show
from shared.domain.jobs import Priority

router = pages()


@router.get("/batch", response_class=HTMLResponse)
def batch_page(
    request: Request, visitor: PageSubmitter, wired: DependenciesDep
) -> HTMLResponse:
    facts = {
        "letters": MAX_BATCH_LABEL_LENGTH,
        "most_bytes": wired.settings.max_upload_bytes,
        "priorities": list(Priority),
    }
    return show(request, visitor, "batch.html", **facts)
