"""The accounts of people.

Operators create and change them; a hospital's administrator creates and changes the accounts of its
staff.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    case,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Role
from shared.errors import Conflict, Forbidden, InputError, NotFound
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.tables import AnyRow, AnySelect, PersonRow

NOW = func.clock_timestamp()
FIRST_PERSON_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('sera-first-person', 0))"
)
FIRST_NAME = "operator"
FREE_ATTEMPTS = 5
"""Wrong guesses in a row before a name is locked."""
FIRST_LOCK_S = 30
"""Seconds that the first lock lasts. Each further lock lasts twice as long, up to `MAX_LOCK_S`."""
MAX_LOCK_S = 900


class PersonNeedsHospital(InputError):
    code = "person-needs-hospital"
    text = (
        "A {role} belongs to one hospital; name it with --hospital NAME, or `hospital` in the "
        "body."
    )


class NameTaken(Conflict):
    code = "name-taken"
    text = (
        "Somebody signs in as {name} already, or by the same identity. Names are one list for "
        "all: choose another."
    )


class PersonUnknown(NotFound):
    code = "person-unknown"
    text = (
        "There is no person {person} that you may change. Those there are: `./sera person list`, "
        "or GET /v1/people."
    )


@dataclass(frozen=True)
class Person:
    """A person's account, without secrets."""

    id: UUID
    name: str
    hospital_id: UUID | None
    role: Role
    must_change: bool
    totp_since: datetime | None
    failures: int
    locked_until: datetime | None
    signed_in_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime


PERSON_COLUMNS = [getattr(PersonRow, field.name) for field in fields(Person)]
WITHOUT_TOTP: dict[str, Any] = {
    "totp_secret": None,
    "totp_since": None,
    "totp_step": None,
    "recovery": [],
}
UNLOCKED = {"failures": 0, "locked_until": None}
NEXT_GENERATION = {"generation": PersonRow.generation + 1}
"""Ends every session of the person."""


class People:
    """The people of the whole system, or of one hospital.

    A hospital's administrator sees all people of the hospital, and changes its staff.
    """

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def all(self) -> list[Person]:
        """Return all people by name."""
        query = select(*PERSON_COLUMNS).order_by(PersonRow.name)
        rows = self._session.execute(self._restrict_to_hospital(query))
        return [_person(row) for row in rows]

    def find(self, person: UUID) -> Person:
        """Raises PersonUnknown."""
        query = select(*PERSON_COLUMNS).where(PersonRow.id == person)
        row = self._session.execute(self._restrict_to_hospital(query)).first()
        if row is None:
            raise PersonUnknown(person=person)
        return _person(row)

    def create(
        self, name: str, role: Role, hospital: UUID | None, one_time_hash: str
    ) -> Person:
        """Create a person with a password that must be changed.

        Raises PersonNeedsHospital, NameTaken, Forbidden.
        """
        return self._add(
            name=sign_in_name(name),
            values={
                **self._role_values(role, hospital),
                "password_hash": one_time_hash,
                "must_change": True,
            },
        )

    def create_demo_person(
        self, name: str, role: Role, hospital: UUID | None, password_hash: str
    ) -> Person | None:
        """Create a person of the demo, whose password stays; None if the name is taken.

        Raises as `create` does.
        """
        if not self.is_name_free(name):
            return None
        return self._add(
            name=sign_in_name(name),
            values={
                **self._role_values(role, hospital),
                "password_hash": password_hash,
                "must_change": False,
            },
        )

    def find_by_identity(self, issuer: str, subject: str) -> Person | None:
        """The person of this subject at an identity provider."""
        query = select(*PERSON_COLUMNS).where(
            PersonRow.issuer == issuer, PersonRow.subject == subject
        )
        row = self._session.execute(query).first()
        return _person(row) if row else None

    def create_with_identity(
        self, name: str, role: Role, hospital: UUID | None, issuer: str, subject: str
    ) -> Person:
        """Create a person without a password, who signs in by an identity provider.

        Raises as `create` does.
        """
        return self._add(
            name=sign_in_name(name),
            values={
                **self._role_values(role, hospital),
                "issuer": issuer,
                "subject": subject,
            },
        )

    def is_name_free(self, name: str) -> bool:
        query = select(PersonRow.id).where(PersonRow.name == sign_in_name(name))
        return self._session.scalar(query) is None

    def create_first_operator(self, one_time_hash: str) -> Person | None:
        """Create the operator; None if any person exists.

        If several processes call this at once, one of them creates it.
        """
        self._session.execute(FIRST_PERSON_LOCK)
        if self._session.scalar(select(PersonRow.id).limit(1)):
            return None
        return self.create(
            name=FIRST_NAME,
            role=Role.OPERATOR,
            hospital=None,
            one_time_hash=one_time_hash,
        )

    def reset(self, person: UUID, one_time_hash: str) -> Person:
        """Set a password that must be changed, and remove the authenticator.

        The person's sessions end. Raises PersonUnknown.
        """
        present = self._lock_changeable(person)
        values = {
            "password_hash": one_time_hash,
            "must_change": True,
            **WITHOUT_TOTP,
            **UNLOCKED,
            **NEXT_GENERATION,
        }
        changed = self._change(person, values, Event.PASSWORD_RESET)
        if present.totp_since:
            self._record(Event.TOTP_OFF, changed)
        return changed

    def disable(self, person: UUID) -> Person:
        """Disable an account, and end its sessions at once.

        Disabling it again changes nothing. Raises PersonUnknown.
        """
        present = self._lock_changeable(person)
        if present.disabled_at:
            return present
        values = {"disabled_at": NOW, **NEXT_GENERATION}
        return self._change(person, values, Event.PERSON_DISABLED)

    def enable(self, person: UUID) -> Person:
        """Raises PersonUnknown."""
        present = self._lock_changeable(person)
        if not present.disabled_at:
            return present
        return self._change(person, {"disabled_at": None}, Event.PERSON_ENABLED)

    def unlock(self, person: UUID) -> Person:
        """Raises PersonUnknown."""
        present = self._lock_changeable(person)
        if not present.failures:
            return present
        return self._change(person, UNLOCKED, Event.PERSON_UNLOCKED)

    def change_role(self, person: UUID, role: Role) -> Person:
        """Change the role within the hospital, or within the system. The person's sessions end.

        Raises PersonUnknown, PersonNeedsHospital, Forbidden.
        """
        present = self._lock_changeable(person)
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        if role in HOSPITAL_ROLES and present.hospital_id is None:
            raise PersonNeedsHospital(role=role)
        if role == present.role:
            return present
        values = {"role": role, **NEXT_GENERATION}
        if role not in HOSPITAL_ROLES:
            values["hospital_id"] = None
        return self._change(person, values, Event.PERSON_ROLE_CHANGED, role=role)

    def _role_values(self, role: Role, hospital: UUID | None) -> dict[str, Any]:
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        hospital = self._hospital or hospital
        if role not in HOSPITAL_ROLES:
            return {"role": role, "hospital_id": None}
        if hospital is None:
            raise PersonNeedsHospital(role=role)
        return {"role": role, "hospital_id": hospital}

    def _add(self, name: str, values: Mapping[str, Any]) -> Person:
        statement = (
            insert(PersonRow)
            .values(id=uuid4(), name=name, **values)
            .on_conflict_do_nothing()
            .returning(*PERSON_COLUMNS)
        )
        row = self._session.execute(statement).first()
        if row is None:
            raise NameTaken(name=name)
        person = _person(row)
        self._record(Event.PERSON_CREATED, person, role=person.role)
        return person

    def _lock_changeable(self, person: UUID) -> Person:
        query = select(*PERSON_COLUMNS).where(PersonRow.id == person)
        if self._hospital:
            query = query.where(PersonRow.role.in_(STAFF_ROLES))
        query = self._restrict_to_hospital(query).with_for_update()
        row = self._session.execute(query).first()
        if row is None:
            raise PersonUnknown(person=person)
        return _person(row)

    def _change(
        self,
        person: UUID,
        values: Mapping[str, Any],
        event: Event,
        **details: object,
    ) -> Person:
        statement = (
            update(PersonRow)
            .where(PersonRow.id == person)
            .values(values)
            .returning(*PERSON_COLUMNS)
        )
        changed = _person(self._session.execute(statement).one())
        self._record(event, changed, **details)
        return changed

    def _restrict_to_hospital(self, query: AnySelect) -> AnySelect:
        if self._hospital is None:
            return query
        return query.where(PersonRow.hospital_id == self._hospital)

    def _record(self, event: Event, person: Person, **details: object) -> None:
        entry = AuditEntry(
            event=event,
            hospital_id=person.hospital_id,
            details={"person": str(person.id), **details},
        )
        self._audit.record_all([entry])


def sign_in_name(text: str) -> str:
    """Normalise a name, so that case and spacing of the typed text do not matter."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def lock_after(failures: SQLColumnExpression[int]) -> ColumnElement[datetime | None]:
    """SQL for the end of the lock after `failures` wrong guesses in a row; NULL means no lock."""
    doublings = func.least(failures - FREE_ATTEMPTS, 20)
    lock_s = func.least(FIRST_LOCK_S * func.power(2, doublings), MAX_LOCK_S)
    lock_interval = func.make_interval(0, 0, 0, 0, 0, 0, lock_s)
    return case((failures >= FREE_ATTEMPTS, NOW + lock_interval), else_=None)


def _person(row: AnyRow) -> Person:
    values = dict(row._mapping)
    values["role"] = Role(row.role)
    return Person(**values)
