"""People: a hospital's administrator keeps its staff, an operator all."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from services.api.dependencies import PersonKeeper, WiringDep
from services.api.idempotency import repeated_as
from services.api.people.schemas import NewPerson, OneTimeView, PersonView, RoleChange
from services.api.people.service import PasswordShownOnce, PeopleDesk

router = APIRouter(prefix="/v1", tags=["people"])


def desk(wired: WiringDep, who: PersonKeeper) -> PeopleDesk:
    return PeopleDesk(wired, who)


PeopleDeskDep = Annotated[PeopleDesk, Depends(desk)]


def shown_once(made: OneTimeView, request: Request) -> OneTimeView:
    """A repeat is told whose password it was and what to do if the answer was lost."""
    if made.one_time_password:
        repeated_as(
            request, PasswordShownOnce(name=made.name, person=made.id), person_id=str(made.id)
        )
    return made


@router.get("/people")
def list_people(desk: PeopleDeskDep) -> list[PersonView]:
    """By name, disabled ones too; a hospital's administrator sees its own hospital's."""
    return desk.all()


@router.post("/people", status_code=201)
async def create_person(new: NewPerson, desk: PeopleDeskDep, request: Request) -> OneTimeView:
    """Make an account. The answer is the only time that its one-time password is shown: a repeat is answered 409."""
    return shown_once(await desk.make(new), request)


@router.patch("/people/{person_id}")
def change_role(person_id: UUID, change: RoleChange, desk: PeopleDeskDep) -> PersonView:
    """Give another role; their sessions end."""
    return desk.change_role(person_id, change.role)


@router.post("/people/{person_id}/reset")
async def reset_password(person_id: UUID, desk: PeopleDeskDep, request: Request) -> OneTimeView:
    """A new one-time password, shown this once. Ends their sessions, locks and authenticator."""
    return shown_once(await desk.reset(person_id), request)


@router.post("/people/{person_id}/disable")
def disable_person(person_id: UUID, desk: PeopleDeskDep) -> PersonView:
    """No more signing in; their sessions end at once. Again is harmless."""
    return desk.disable(person_id)


@router.post("/people/{person_id}/enable")
def enable_person(person_id: UUID, desk: PeopleDeskDep) -> PersonView:
    """Let them sign in again. Again is harmless."""
    return desk.enable(person_id)


@router.post("/people/{person_id}/unlock")
def unlock_person(person_id: UUID, desk: PeopleDeskDep) -> PersonView:
    """Forget the wrong tries. Again is harmless."""
    return desk.unlock(person_id)
