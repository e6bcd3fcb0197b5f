"""A hospital's settings: its own staff read them, its administrator and operators change them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from services.api.dependencies import Administrator, HospitalReader, Operator, WiringDep
from services.api.hospitals.schemas import HospitalChange, HospitalView, OperatorChange
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
OperatorsChange = Annotated[dict[str, Any], Depends(operators_change)]


@router.get("/hospital")
def read_own(wired: WiringDep, who: HospitalReader) -> HospitalView:
    """The settings of the key's own hospital, and what they come to with the live model."""
    return HospitalDesk(wired, who).read(who.hospital_id)


@router.patch("/hospital")
def change_own(change: Change, wired: WiringDep, who: Administrator) -> HospitalView:
    """Change them; the next case that a worker takes up is judged by the new ones."""
    return HospitalDesk(wired, who).change(who.hospital_id, change)


@router.get("/hospitals")
def list_hospitals(wired: WiringDep, who: Operator) -> list[HospitalView]:
    """Every hospital, by name."""
    return HospitalDesk(wired, who).all()


@router.patch("/hospitals/{name:path}")
def change_hospital(
    name: Annotated[PlainText, Path()], change: OperatorsChange, wired: WiringDep, who: Operator
) -> HospitalView:
    """Change the settings of the hospital of this name, and how much it may send."""
    desk = HospitalDesk(wired, who)
    return desk.change(desk.named(name), change)
