"""Routes of people. A hospital's administrator manages its own staff, an operator everybody."""

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

router = APIRouter(prefix="/v1", tags=["people"])


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
    """Answer repeats with whose password it was, and with what to do if the first answer was
    lost.
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
    """People by name, also disabled ones. A hospital's administrator sees its own hospital's."""
    return service.all()


@router.post("/people", status_code=201)
async def create_person(
    new: NewPerson, service: OneTimePasswordsDep, request: Request
) -> OneTimeView:
    """Create an account. Only this answer shows its one-time password: a repeat is answered 409."""
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
    """Set a new one-time password, shown only in this answer.

    The person's sessions, locks and authenticator end.
    """
    person = await service.reset(person_id)
    return shown_once(person, request)


@router.post("/people/{person_id}/disable")
def disable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Forbid a person to sign in. Their sessions end at once. Repeating this is harmless."""
    return service.disable(person_id)


@router.post("/people/{person_id}/enable")
def enable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Allow a person to sign in again. Repeating this is harmless."""
    return service.enable(person_id)


@router.post("/people/{person_id}/unlock")
def unlock_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Reset the count of failed attempts. Repeating this is harmless."""
    return service.unlock(person_id)
