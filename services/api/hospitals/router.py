"""A hospital's settings: its own staff read them, its administrator and operators change them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from services.api.dependencies import Administrator, HospitalReader, Operator, WiringDep
from services.api.editing import IfMatch, tagged
from services.api.hospitals.schemas import HospitalChange, HospitalView, NewHospital, OperatorChange
from services.api.hospitals.service import HospitalDesk
from services.api.text import PlainText

router = APIRouter(prefix="/v1", tags=["hospitals"])


def change(body: HospitalChange) -> dict[str, Any]:
    """What the body names, null among it."""
    return body.model_dump(exclude_unset=True)


def operators_change(body: OperatorChange) -> dict[str, Any]:
    """What the body names, limits among it."""
    return change(body)


Change = Annotated[dict[str, Any], Depends(change)]
DryRun = Annotated[
    bool,
    Query(description="Only say what the settings would come to, how many cases are due among it."),
]
OperatorsChange = Annotated[dict[str, Any], Depends(operators_change)]


def with_tag(view: HospitalView, response: Response) -> HospitalView:
    tagged(response, view.tag)
    return view


@router.get("/hospital")
def read_own(wired: WiringDep, who: HospitalReader, response: Response) -> HospitalView:
    """The settings of the key's own hospital, and what they come to with the live model. The ETag is the settings'."""
    return with_tag(HospitalDesk(wired, who).read(who.hospital_id), response)


@router.patch("/hospital")
def change_own(
    change: Change,
    wired: WiringDep,
    who: Administrator,
    tags: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> HospitalView:
    """Change them; the next case that a worker takes up is judged by the new ones."""
    return with_tag(
        HospitalDesk(wired, who).change(who.hospital_id, change, tags, dry_run), response
    )


@router.get("/hospitals")
def list_hospitals(wired: WiringDep, who: Operator) -> list[HospitalView]:
    """Every hospital, by name."""
    return HospitalDesk(wired, who).all()


@router.post("/hospitals", status_code=201)
def add_hospital(
    new: NewHospital, wired: WiringDep, who: Operator, response: Response
) -> HospitalView:
    """A hospital of its own, behind walls; it goes by the installation's settings until it says otherwise."""
    return with_tag(HospitalDesk(wired, who).add(new.name), response)


@router.patch("/hospitals/{name:path}")
def change_hospital(
    name: Annotated[PlainText, Path()],
    change: OperatorsChange,
    wired: WiringDep,
    who: Operator,
    tags: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> HospitalView:
    """Change the settings of the hospital of this name, and how much it may send."""
    desk = HospitalDesk(wired, who)
    return with_tag(desk.change(desk.named(name), change, tags, dry_run), response)
