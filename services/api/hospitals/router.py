"""Routes of hospitals' settings. A hospital's staff read them; its administrator and operators
change them.
"""

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
from services.api.strict_requests import StrictRoute
from services.api.text import PlainText

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["hospitals"])


def change(body: HospitalChange) -> dict[str, Any]:
    """Return the settings that the body contains, including settings that are null."""
    return body.model_dump(exclude_unset=True)


def operators_change(body: OperatorChange) -> dict[str, Any]:
    """Return the settings and limits that the body contains."""
    return change(body)


Change = Annotated[dict[str, Any], Depends(change)]
DryRun = Annotated[
    bool,
    Query(
        description="Only answer the effect of the settings, including the number of cases due for "
        "erasure."
    ),
]
OperatorsChange = Annotated[dict[str, Any], Depends(operators_change)]


def hospital_service(
    session: SystemSessionDep, dependencies: DependenciesDep
) -> HospitalService:
    """A route lists this dependency after the parameter that checks the caller's role."""
    return HospitalService(session, dependencies.settings)


HospitalServiceDep = Annotated[HospitalService, Depends(hospital_service)]


def with_tag(view: HospitalView, response: Response) -> HospitalView:
    set_etag(response, view.tag)
    return view


@router.get("/hospital")
def read_own(
    caller: HospitalReader, service: HospitalServiceDep, response: Response
) -> HospitalView:
    """Return the settings of the caller's hospital, and their effect with the live model.

    The ETag is the version of the settings.
    """
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
    """Change the settings of the caller's hospital. They apply from the next case that a worker
    starts.
    """
    view = service.change(hospital_id_of(caller), change, tags, dry_run)
    return with_tag(view, response)


@router.get("/hospitals")
def list_hospitals(caller: Operator, service: HospitalServiceDep) -> list[HospitalView]:
    """Return all hospitals, sorted by name."""
    return service.all()


@router.post("/hospitals", status_code=201)
def add_hospital(
    new: NewHospital, caller: Operator, service: HospitalServiceDep, response: Response
) -> HospitalView:
    """Add a hospital. Its data are isolated from other hospitals. It uses the installation's
    settings until its own settings are changed.
    """
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
    """Change the settings of a hospital, and how many cases it may send."""
    view = service.change(service.find_id(name), change, tags, dry_run)
    return with_tag(view, response)
