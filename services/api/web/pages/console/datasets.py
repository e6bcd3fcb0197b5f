"""Data sets: filled from the browser, counted, split, corrected and frozen."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.schemas import LARGEST_NUMBER, NAME, VersionDetail
from services.api.datasets.service import DatasetService
from services.api.web.actors import actor_names
from services.api.web.console import render_console
from services.api.web.page import PageOperator, PageSystemSessionDep, pages

router = pages()
MOST_VERSIONS = 20
"""How many frozen versions a page lists, the newest first."""
Chosen = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]


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
    version: Chosen = None,
) -> HTMLResponse:
    service = DatasetService(session)
    return render_console(
        request,
        visitor,
        "dataset.html",
        dataset=service.read(name),
        chosen=version,
        composition=service.composition(name, version),
        versions=versions(service, name),
        names=actor_names(session, visitor.caller),
        sites=sites(service, name),
    )


def versions(service: DatasetService, name: str) -> list[VersionDetail]:
    """Frozen versions, each with what it changed against the one before."""
    newest = service.versions(name)[:MOST_VERSIONS]
    return [service.version(name, version.number, None) for version in newest]


def sites(service: DatasetService, name: str) -> list[str]:
    """What the draft may be split by."""
    return [part.name for part in service.composition(name, None).sites if part.name]
