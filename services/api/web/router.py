"""All pages, and the files they are made with."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from services.api.web.pages import (
    account,
    audit,
    batch,
    case,
    console,
    datasets,
    hospitals,
    keys,
    models,
    monitoring,
    people,
    queue,
    reader,
    runs,
    sign_in,
    studies,
    wall,
    worklist,
)
from services.api.web.phone import router as phone
from services.api.web.shell import HEADERS
from shared.errors import NotFound

STATIC = {file.name: file for file in (Path(__file__).parent / "static").iterdir()}
PAGES = (
    account,
    audit,
    batch,
    case,
    console,
    datasets,
    hospitals,
    keys,
    models,
    monitoring,
    people,
    queue,
    reader,
    runs,
    sign_in,
    studies,
    wall,
    worklist,
)

router = APIRouter(include_in_schema=False)
for page in PAGES:
    router.include_router(page.router)
router.include_router(phone)


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    if name not in STATIC:
        raise NotFound(thing="file")
    return FileResponse(STATIC[name], headers=HEADERS | {"Cache-Control": "no-cache"})
