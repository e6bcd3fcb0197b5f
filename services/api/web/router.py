"""The routes of all pages and of their static files."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from services.api.strict_requests import StrictRoute
from services.api.web.files import FILES, IMMUTABLE_CACHE, VERSION
from services.api.web.page import CONTENT_SECURITY_POLICY
from services.api.web.pages import (
    account,
    batch,
    case,
    new_case,
    reader_studies,
    sign_in,
    wallboard,
    worklist,
)
from services.api.web.pages.console import (
    audit,
    datasets,
    entry,
    hospitals,
    keys,
    models,
    monitoring,
    people,
    queue,
    runs,
)
from services.api.web.pwa import router as pwa_router
from shared.errors import NotFound

PAGES = (
    account,
    audit,
    batch,
    case,
    entry,
    datasets,
    hospitals,
    keys,
    models,
    monitoring,
    people,
    queue,
    new_case,
    runs,
    sign_in,
    reader_studies,
    wallboard,
    worklist,
)

router = APIRouter(route_class=StrictRoute, include_in_schema=False)
for page in PAGES:
    router.include_router(page.router)
router.include_router(pwa_router)


@router.get("/static/{name}")
@router.get("/static/{version}/{name}")
def static(
    name: str,
    version: str = "",
    accept_encoding: Annotated[str, Header()] = "",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A static file. A version of another release gets the present file, and may not be cached."""
    if name not in FILES:
        raise NotFound(thing="file")
    file = FILES[name]
    body, headers = file.encode(accept_encoding)
    headers |= {
        "Cache-Control": IMMUTABLE_CACHE if version == VERSION else "no-cache",
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    }
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=file.media_type, headers=headers)
