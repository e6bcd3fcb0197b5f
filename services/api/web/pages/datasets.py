"""Data sets: filled from the browser, counted, split, corrected and frozen."""

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.api.datasets.schemas import LARGEST_NUMBER, NAME
from services.api.datasets.service import DatasetDesk
from services.api.dependencies import WiringDep
from services.api.web.actors import names
from services.api.web.console import show_console
from services.api.web.shell import PageOperator, pages

router = pages()
MOST_VERSIONS = 20
"""How many frozen versions a page lists, the newest first."""
Chosen = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]


@router.get("/console/datasets", response_class=HTMLResponse)
def datasets_page(request: Request, visitor: PageOperator, wired: WiringDep) -> HTMLResponse:
    found = DatasetDesk(wired, visitor.caller).all()
    return show_console(
        request,
        visitor,
        "datasets.html",
        datasets=found,
        pattern=NAME.pattern.replace("._-", r"._\-"),
    )


@router.get("/console/datasets/{name}", response_class=HTMLResponse)
def dataset_page(
    request: Request, name: str, visitor: PageOperator, wired: WiringDep, version: Chosen = None
) -> HTMLResponse:
    desk = DatasetDesk(wired, visitor.caller)
    facts = {
        "dataset": desk.read(name),
        "chosen": version,
        "composition": desk.composition(name, version),
        "versions": versions(desk, name),
        "names": names(wired, visitor.caller),
    }
    return show_console(request, visitor, "dataset.html", **facts, sites=sites(desk, name))


def versions(desk: DatasetDesk, name: str) -> list[Any]:
    """Frozen versions, each with what it changed against the one before."""
    return [desk.version(name, each.number, None) for each in desk.versions(name)[:MOST_VERSIONS]]


def sites(desk: DatasetDesk, name: str) -> list[str]:
    """What the draft may be split by."""
    return [part.name for part in desk.composition(name, None).sites if part.name]
