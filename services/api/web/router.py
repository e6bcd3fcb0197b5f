"""All pages, and the files they are made with."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from services.api.web.files import FILES, FOR_EVER, VERSION
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
from services.api.web.shell import POLICY
from shared.errors import NotFound

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
    body, told = FILES[name].encoded(accept_encoding)
    told |= {
        "Cache-Control": FOR_EVER if version == VERSION else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if if_none_match == told["ETag"]:
        return Response(
            status_code=304, headers={"Content-Security-Policy": POLICY} | told
        )
    return Response(
        body,
        media_type=FILES[name].kind,
        headers={"Content-Security-Policy": POLICY} | told,
    )
