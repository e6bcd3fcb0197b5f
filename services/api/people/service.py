"""Creates, lists and changes people, for an operator or a hospital's administrator."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from services.api.dependencies import CallerSession
from services.api.hospitals.lookup import Names, find_hospital_id, hospital_name
from services.api.people.schemas import NewPerson, OneTimeView, PersonView
from services.api.session.errors import ProviderOff
from services.api.session.password_hasher import PasswordHasherPool
from services.api.session.provider import IdentityProvider
from shared.domain.roles import Role
from shared.errors import Conflict
from shared.ledger.hospitals.repository import Caller
from shared.ledger.idempotency.requests import IdempotentRequest
from shared.ledger.people.repository import Person
from shared.security import passwords


class OneselfNot(Conflict):
    code = "not-oneself"
    text = (
        "Nobody disables, resets or changes the role of their own account. Have another "
        "administrator do it."
    )


class PasswordShownOnce(Conflict):
    code = "password-shown-once"
    text = (
        "This request came before: its answer showed the one-time password of {name}, which is not "
        "kept. If that "
        "answer was lost, ask for another (POST /v1/people/{person}/reset) under a new "
        "Idempotency-Key."
    )


class PeopleService:
    """Manages the people of the caller's hospital, or all people if the caller belongs to no
    hospital.
    """

    def __init__(self, session: CallerSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def all(self) -> list[PersonView]:
        """Return people, sorted by name."""
        names = self._names()
        return [person_view(person, names) for person in self._session.people.all()]

    def disable(self, person: UUID) -> PersonView:
        """Raises PersonUnknown, OneselfNot."""
        refuse_oneself(self._caller, person)
        return person_view(self._session.people.disable(person), self._names())

    def enable(self, person: UUID) -> PersonView:
        """Raises PersonUnknown."""
        return person_view(self._session.people.enable(person), self._names())

    def unlock(self, person: UUID) -> PersonView:
        """Raises PersonUnknown."""
        return person_view(self._session.people.unlock(person), self._names())

    def change_role(self, person: UUID, role: Role) -> PersonView:
        """Change a person's role. Raises PersonUnknown, OneselfNot, Forbidden."""
        refuse_oneself(self._caller, person)
        return person_view(
            self._session.people.change_role(person, role), self._names()
        )

    def _names(self) -> Names:
        return self._session.observations.hospitals()


class OneTimePasswords:
    """Creates people and resets their passwords.

    A password is hashed before the transaction begins, because hashing takes a long time.
    """

    def __init__(
        self,
        session: CallerSession,
        caller: Caller,
        *,
        password_hashers: PasswordHasherPool,
        provider: IdentityProvider | None,
        idempotent: IdempotentRequest | None,
    ) -> None:
        self._session = session
        self._caller = caller
        self._password_hashers = password_hashers
        self._provider = provider
        self._idempotent = idempotent

    async def create(self, new: NewPerson) -> OneTimeView:
        """Create a person. Raises HospitalUnknown, PersonNeedsHospital, NameTaken, Forbidden,
        ProviderOff; AlreadyAnswered for a repeated request.
        """
        if new.subject:
            return await asyncio.to_thread(self._create_with_identity, new, new.subject)

        def create(password_hash: str) -> Person:
            hospital = find_hospital_id(new.hospital, self._names(), self._caller)
            return self._session.people.create(
                new.name, new.role, hospital, password_hash
            )

        return await self._with_password(create)

    async def reset(self, person: UUID) -> OneTimeView:
        """Reset a password. Raises PersonUnknown, OneselfNot; AlreadyAnswered for a repeated
        request.
        """
        refuse_oneself(self._caller, person)
        return await self._with_password(
            lambda password_hash: self._session.people.reset(person, password_hash)
        )

    async def _with_password(self, change: Callable[[str], Person]) -> OneTimeView:
        password = passwords.one_time_password()
        password_hash = await self._password_hashers.hash(password)

        def write() -> OneTimeView:
            self._reserve()
            person = change(password_hash)
            fields = person_view(person, self._names()).model_dump()
            return OneTimeView(**fields, one_time_password=password)

        return await asyncio.to_thread(write)

    def _create_with_identity(self, new: NewPerson, subject: str) -> OneTimeView:
        """Create a person who signs in at the identity provider and has no password here."""
        if self._provider is None:
            raise ProviderOff
        self._reserve()
        names = self._names()
        hospital = find_hospital_id(new.hospital, names, self._caller)
        person = self._session.people.create_with_identity(
            new.name, new.role, hospital, self._provider.issuer, subject
        )
        fields = person_view(person, names).model_dump()
        return OneTimeView(**fields, one_time_password=None)

    def _reserve(self) -> None:
        if self._idempotent is not None:
            self._idempotent.reserve()

    def _names(self) -> Names:
        return self._session.observations.hospitals()


def refuse_oneself(caller: Caller, person: UUID) -> None:
    """Raises OneselfNot."""
    if person == caller.person:
        raise OneselfNot


def person_view(person: Person, names: Names) -> PersonView:
    facts = {
        name: value for name, value in vars(person).items() if name != "hospital_id"
    }
    return PersonView(**facts, hospital=hospital_name(person.hospital_id, names))
