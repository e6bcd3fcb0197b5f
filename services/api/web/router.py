"""All pages, and the files they are made with."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from services.api.web.files import FILES, IMMUTABLE_CACHE, VERSION
from services.api.web.page import POLICY
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
from services.api.web.pwa import router as phone
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

router = APIRouter(include_in_schema=False)
for page in PAGES:
    router.include_router(page.router)
router.include_router(phone)


@router.get("/static/{name}")
@router.get("/static/{version}/{name}")
def static(
    name: str,
    version: str = "",
    accept_encoding: Annotated[str, Header()] = "",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Another release's version is answered with what there is now, which is not kept."""
    if name not in FILES:
        raise NotFound(thing="file")
    body, told = FILES[name].encode(accept_encoding)
    told |= {
        "Cache-Control": IMMUTABLE_CACHE if version == VERSION else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if if_none_match == told["ETag"]:
        return Response(
            status_code=304, headers={"Content-Security-Policy": POLICY} | told
        )
    return Response(
        body,
        media_type=FILES[name].media_type,
        headers={"Content-Security-Policy": POLICY} | told,
    )
