"""People: a hospital's administrator keeps its staff, an operator all."""

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


def people_service(caller: PeopleAdministrator, session: CallerSessionDep) -> PeopleService:
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
        bench=dependencies.password_hashers,
        provider=dependencies.provider,
        idempotent=idempotent,
    )


PeopleServiceDep = Annotated[PeopleService, Depends(people_service)]
OneTimePasswordsDep = Annotated[OneTimePasswords, Depends(one_time_passwords)]


def shown_once(made: OneTimeView, request: Request) -> OneTimeView:
    """A repeat is told whose password it was and what to do if the answer was lost."""
    if made.one_time_password:
        answer_repeats_with(
            request,
            PasswordShownOnce(name=made.name, person=made.id),
            person_id=str(made.id),
        )
    return made


@router.get("/people")
def list_people(service: PeopleServiceDep) -> list[PersonView]:
    """By name, disabled ones too; a hospital's administrator sees its own hospital's."""
    return service.all()


@router.post("/people", status_code=201)
async def create_person(
    new: NewPerson, service: OneTimePasswordsDep, request: Request
) -> OneTimeView:
    """Make an account. The answer is the only time that its one-time password is shown: a repeat is answered 409."""
    return shown_once(await service.make(new), request)


@router.patch("/people/{person_id}")
def change_role(
    person_id: UUID, change: RoleChange, service: PeopleServiceDep
) -> PersonView:
    """Give another role; their sessions end."""
    return service.change_role(person_id, change.role)


@router.post("/people/{person_id}/reset")
async def reset_password(
    person_id: UUID, service: OneTimePasswordsDep, request: Request
) -> OneTimeView:
    """A new one-time password, shown this once. Ends their sessions, locks and authenticator."""
    return shown_once(await service.reset(person_id), request)


@router.post("/people/{person_id}/disable")
def disable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """No more signing in; their sessions end at once. Again is harmless."""
    return service.disable(person_id)


@router.post("/people/{person_id}/enable")
def enable_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Let them sign in again. Again is harmless."""
    return service.enable(person_id)


@router.post("/people/{person_id}/unlock")
def unlock_person(person_id: UUID, service: PeopleServiceDep) -> PersonView:
    """Forget the wrong tries. Again is harmless."""
    return service.unlock(person_id)
