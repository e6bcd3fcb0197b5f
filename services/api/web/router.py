"""The reader's page: nodule size, image, reset, result; and the page to sign in at."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from starlette.responses import FileResponse

from services.api.cases.router import LARGEST_MM
from services.api.dependencies import WiringDep
from services.api.session.errors import PROBLEMS
from services.api.web.phone import router as phone
from shared.errors import NotFound
from shared.passwords import LEAST
from shared.version import VERSION

HERE = Path(__file__).parent
PAGES = Jinja2Templates(directory=HERE / "templates")
STATIC = {file.name: file for file in (HERE / "static").iterdir()}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"  # noqa: E501
HEADERS = {"Content-Security-Policy": POLICY}

router = APIRouter(include_in_schema=False)
router.include_router(phone)


@router.get("/", response_class=HTMLResponse)
def reader_page(request: Request) -> HTMLResponse:
    facts = {"version": VERSION, "largest_mm": LARGEST_MM}
    return PAGES.TemplateResponse(request, "reader.html", facts, headers=HEADERS)


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(request: Request, wired: WiringDep, problem: str = "") -> HTMLResponse:
    facts = {"version": VERSION, "least": LEAST, "problem": PROBLEMS.get(problem, "")}
    return PAGES.TemplateResponse(request, "sign-in.html", facts | {"provider": wired.provider}, headers=HEADERS)


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    if name not in STATIC:
        raise NotFound(thing="file")
    return FileResponse(STATIC[name], headers=HEADERS | {"Cache-Control": "no-cache"})
