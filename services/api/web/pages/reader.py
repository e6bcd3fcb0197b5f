"""The reader's page: nodule size, image, reset, result."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.api.cases.router import LARGEST_MM
from services.api.web.shell import PageSubmitter, pages, show

router = pages()


@router.get("/", response_class=HTMLResponse)
def reader_page(request: Request, visitor: PageSubmitter) -> HTMLResponse:
    return show(request, visitor, "reader.html", largest_mm=LARGEST_MM)
