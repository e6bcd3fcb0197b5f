"""Data sets: upload images, count, split, correct and freeze them."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.schemas import MAX_NUMBER, NAME, VersionDetail
from services.api.datasets.service import DatasetService
from services.api.web.actors import actor_names
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, page_router

router = page_router()
MAX_VERSIONS = 20
"""Number of frozen versions on a page, the newest first."""
VersionQuery = Annotated[int | None, Query(ge=1, le=MAX_NUMBER)]


@router.get("/console/datasets", response_class=HTMLResponse)
def datasets_page(
    request: Request, visitor: PageOperator, session: PageSystemSessionDep
) -> HTMLResponse:
    return render_console(
        request,
        visitor,
        "datasets.html",
        datasets=DatasetService(session).all(),
        pattern=NAME.pattern.replace("._-", r"._\-"),
    )


@router.get("/console/datasets/{name}", response_class=HTMLResponse)
def dataset_page(
    request: Request,
    name: str,
    visitor: PageOperator,
    session: PageSystemSessionDep,
    version: VersionQuery = None,
) -> HTMLResponse:
    service = DatasetService(session)
    return render_console(
        request,
        visitor,
        "dataset.html",
        dataset=service.read(name),
        selected_version=version,
        composition=service.composition(name, version),
        versions=versions(service, name),
        actor_names=actor_names(session, visitor.caller),
        sites=sites(service, name),
    )


def versions(service: DatasetService, name: str) -> list[VersionDetail]:
    """Frozen versions, each with its changes from the previous one."""
    newest = service.versions(name)[:MAX_VERSIONS]
    return [service.version(name, version.number, None) for version in newest]


def sites(service: DatasetService, name: str) -> list[str]:
    """The sites by which the draft may be split."""
    return [part.name for part in service.composition(name, None).sites if part.name]
