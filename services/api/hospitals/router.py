"""A hospital's settings: its own staff read them, its administrator and operators change them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from services.api.dependencies import (
    Administrator,
    DependenciesDep,
    HospitalReader,
    Operator,
    SystemSessionDep,
    hospital_id_of,
)
from services.api.etags import IfMatch, set_etag
from services.api.hospitals.schemas import (
    HospitalChange,
    HospitalView,
    NewHospital,
    OperatorChange,
)
from services.api.hospitals.service import HospitalService
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
    Query(
        description="Only say what the settings would come to, how many cases are due among it."
    ),
]
OperatorsChange = Annotated[dict[str, Any], Depends(operators_change)]


def hospital_service(
    session: SystemSessionDep, dependencies: DependenciesDep
) -> HospitalService:
    """It comes after the parameter that checks the caller's role."""
    return HospitalService(session, dependencies.settings)


HospitalServiceDep = Annotated[HospitalService, Depends(hospital_service)]


def with_tag(view: HospitalView, response: Response) -> HospitalView:
    set_etag(response, view.tag)
    return view


@router.get("/hospital")
def read_own(
    caller: HospitalReader, service: HospitalServiceDep, response: Response
) -> HospitalView:
    """The settings of the key's own hospital, and what they come to with the live model. The ETag
    is the settings'."""
    return with_tag(service.read(hospital_id_of(caller)), response)


@router.patch("/hospital")
def change_own(
    change: Change,
    caller: Administrator,
    service: HospitalServiceDep,
    tags: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> HospitalView:
    """Change them; the next case that a worker takes up is judged by the new ones."""
    return with_tag(
        service.change(hospital_id_of(caller), change, tags, dry_run), response
    )


@router.get("/hospitals")
def list_hospitals(caller: Operator, service: HospitalServiceDep) -> list[HospitalView]:
    """Every hospital, by name."""
    return service.all()


@router.post("/hospitals", status_code=201)
def add_hospital(
    new: NewHospital, caller: Operator, service: HospitalServiceDep, response: Response
) -> HospitalView:
    """A hospital of its own, behind walls; it goes by the installation's settings until it says
    otherwise."""
    return with_tag(service.add(new.name), response)


@router.patch("/hospitals/{name:path}")
def change_hospital(
    name: Annotated[PlainText, Path()],
    change: OperatorsChange,
    caller: Operator,
    service: HospitalServiceDep,
    tags: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> HospitalView:
    """Change the settings of the hospital of this name, and how much it may send."""
    return with_tag(
        service.change(service.find_id(name), change, tags, dry_run), response
    )
