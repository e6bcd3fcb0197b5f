"""Batch upload: choose many images, enter their sizes, send them and watch their progress."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.dependencies import DependenciesDep
from services.api.text import MAX_BATCH_LABEL_LENGTH
from services.api.web.page import PageSubmitter, page_router, render
from shared.domain.jobs import Priority

router = page_router()


@router.get("/batch", response_class=HTMLResponse)
def batch_page(
    request: Request, visitor: PageSubmitter, dependencies: DependenciesDep
) -> HTMLResponse:
    facts = {
        "letters": MAX_BATCH_LABEL_LENGTH,
        "max_bytes": dependencies.settings.max_upload_bytes,
        "priorities": list(Priority),
    }
    return render(request, visitor, "batch.html", **facts)
