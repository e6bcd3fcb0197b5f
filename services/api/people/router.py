"""Routes of people. An administrator manages the staff of one hospital, an operator all people."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from services.api.dependencies import (
    CallerSessionDep,
    DependenciesDep,
    IdempotentRequestDep,
    PeopleAdministrator,
    TransactionDep,
    session_of,
)
from services.api.middleware.idempotency import answer_repeats_with
from services.api.people.schemas import NewPerson, OneTimeView, PersonView, RoleChange
from services.api.people.service import (
    OneTimePasswords,
    PasswordShownOnce,
    PeopleService,
)
from services.api.strict_requests import StrictRoute

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["people"])


def people_service(
    caller: PeopleAdministrator, session: CallerSessionDep
) -> PeopleService:
    return PeopleService(session, caller)


def one_time_passwords(
    caller: PeopleAdministrator,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> OneTimePasswords:
    return OneTimePasswords(
        session_of(transaction, caller),
        caller,
        password_hashers=dependencies.password_hashers,
        provider=dependencies.provider,
        idempotent=idempotent,
    )


PeopleServiceDep = Annotated[PeopleService, Depends(people_service)]
OneTimePasswordsDep = Annotated[OneTimePasswords, Depends(one_time_passwords)]


def shown_once(person: OneTimeView, request: Request) -> OneTimeView:
    """Replace the stored response for repeated requests by an error that names the person and the
    next step.
    """
    if person.one_time_password:
        answer_repeats_with(
            request,
            PasswordShownOnce(name=person.name, person=person.id),
            {"person_id": str(person.id)},
        )
    return person


@router.get("/people")
def list_people(service: PeopleServiceDep) -> list[PersonView]:
    """Return people, sorted by name, including disabled accounts. A hospital's administrator sees
    only the people of that hospital.
    """
    return service.all()


@router.post("/people", status_code=201)
async def create_person(
    new: NewPerson, service: OneTimePasswordsDep, request: Request
) -> OneTimeView:
    """Create an account. Only this response contains its one-time password. A repeated request gets
    status 409.
    """
    person = await service.create(new)
    return shown_once(person, request)


@router.patch("/people/{person_id}")
def change_role(
    person_id: UUID, change: RoleChange, service: PeopleServiceDep
) -> PersonView:
    """Change a person's role. The person's sessions end."""
    return service.change_role(person_id, change.role)


@router.post("/people/{person_id}/reset")
async def reset_password(
    person_id: UUID, service: OneTimePasswordsDep, request: Request
) -> OneTimeView:
    """Set a new one-time password. Only this response contains it.

    The person's sessions end, and the person's locks and authenticator are removed.
    """
    person = await service.reset(person_id)
    return shown_once(person, request)


@router.post("/people/{person_id}/disable")
def disable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Forbid a person to sign in. The person's sessions end immediately. A repeated request changes
    nothing.
    """
    return service.disable(person_id)


@router.post("/people/{person_id}/enable")
def enable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Allow a person to sign in again. A repeated request changes nothing."""
    return service.enable(person_id)


@router.post("/people/{person_id}/unlock")
def unlock_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Reset a person's count of failed attempts. A repeated request changes nothing."""
    return service.unlock(person_id)
