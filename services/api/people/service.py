"""Makes, lists and changes people, for an operator or a hospital's administrator."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from services.api.dependencies import Wiring
from services.api.hospitals.named import Names, name_of, named
from services.api.people.schemas import NewPerson, OneTimeView, PersonView
from services.api.session.errors import ProviderOff
from shared import passwords
from shared.domain.roles import Role
from shared.errors import Conflict
from shared.ledger.hospitals import Caller
from shared.ledger.people import People, Person


class OneselfNot(Conflict):
    code = "not-oneself"
    text = "Nobody disables, resets or changes the role of their own account. Have another administrator do it."


class PasswordShownOnce(Conflict):
    code = "password-shown-once"
    text = (
        "This request came before: its answer showed the one-time password of {name}, which is not kept. If that "
        "answer was lost, ask for another (POST /v1/people/{person}/reset) under a new Idempotency-Key."
    )


class PeopleDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def all(self) -> list[PersonView]:
        """By name."""
        with self._open() as (people, names):
            return [view(each, names) for each in people.all()]

    async def make(self, new: NewPerson) -> OneTimeView:
        """Raises HospitalUnknown, PersonNeedsHospital, NameTaken, Forbidden, ProviderOff."""

        if new.subject:
            return await asyncio.to_thread(self._provided, new, new.subject)

        def made(people: People, names: Names, one_time_hash: str) -> Person:
            return people.make(
                new.name, new.role, named(new.hospital, names, self._who), one_time_hash
            )

        return await self._with_password(made)

    async def reset(self, person: UUID) -> OneTimeView:
        """Raises PersonUnknown, OneselfNot."""
        self._refuse_oneself(person)
        return await self._with_password(
            lambda people, _names, one_time_hash: people.reset(person, one_time_hash)
        )

    def disable(self, person: UUID) -> PersonView:
        self._refuse_oneself(person)
        return self._changed(lambda people: people.disable(person))

    def enable(self, person: UUID) -> PersonView:
        return self._changed(lambda people: people.enable(person))

    def unlock(self, person: UUID) -> PersonView:
        return self._changed(lambda people: people.unlock(person))

    def change_role(self, person: UUID, role: Role) -> PersonView:
        self._refuse_oneself(person)
        return self._changed(lambda people: people.change_role(person, role))

    async def _with_password(self, change: Callable[[People, Names, str], Person]) -> OneTimeView:
        one_time = passwords.one_time()
        one_time_hash = await self._wired.bench.hashed(one_time)
        return await asyncio.to_thread(self._shown, change, one_time, one_time_hash)

    def _shown(
        self, change: Callable[[People, Names, str], Person], one_time: str, one_time_hash: str
    ) -> OneTimeView:
        with self._open() as (people, names):
            told = view(change(people, names, one_time_hash), names)
        return OneTimeView(**told.model_dump(), one_time_password=one_time)

    def _provided(self, new: NewPerson, subject: str) -> OneTimeView:
        if self._wired.provider is None:
            raise ProviderOff
        with self._open() as (people, names):
            home = named(new.hospital, names, self._who)
            made = people.make_provided(
                new.name, new.role, home, self._wired.provider.issuer, subject
            )
            return OneTimeView(**view(made, names).model_dump(), one_time_password=None)

    def _changed(self, change: Callable[[People], Person]) -> PersonView:
        with self._open() as (people, names):
            return view(change(people), names)

    def _refuse_oneself(self, person: UUID) -> None:
        if person == self._who.person:
            raise OneselfNot

    @contextmanager
    def _open(self) -> Iterator[tuple[People, Names]]:
        """The people that the caller may see, and the names of their hospitals."""
        if self._who.hospital_id:
            with self._wired.ledger.hospital_session(
                self._who.hospital_id, self._who.actor
            ) as hospital_session:
                yield hospital_session.people, hospital_session.observations.hospitals()
        else:
            with self._wired.ledger.system_session(self._who.actor) as system_session:
                yield system_session.people, system_session.observations.hospitals()


def view(person: Person, names: Names) -> PersonView:
    facts = {name: value for name, value in vars(person).items() if name != "hospital_id"}
    return PersonView(**facts, hospital=name_of(person.hospital_id, names))
