"""All pages, and the files they are made with."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from services.api.web.pages import batch, models, reader, sign_in
from services.api.web.phone import router as phone
from services.api.web.shell import HEADERS
from shared.errors import NotFound

STATIC = {file.name: file for file in (Path(__file__).parent / "static").iterdir()}

router = APIRouter(include_in_schema=False)
router.include_router(reader.router)
router.include_router(batch.router)
router.include_router(sign_in.router)
router.include_router(phone)
router.include_router(models.router)


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    if name not in STATIC:
        raise NotFound(thing="file")
    return FileResponse(STATIC[name], headers=HEADERS | {"Cache-Control": "no-cache"})
