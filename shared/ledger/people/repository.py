"""People: who they are, made and changed by operators, and by a hospital's administrator for its staff."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Role
from shared.errors import Conflict, Forbidden, InputError, NotFound
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.tables import AnyRow, AnySelect, PersonRow

NOW = func.clock_timestamp()
FIRST = text("SELECT pg_advisory_xact_lock(hashtextextended('sera-first-person', 0))")
FIRST_NAME = "operator"
FREE_ATTEMPTS = 5
FIRST_LOCK_S = 30
MAX_LOCK_S = 900
"""Wrong guesses in a row before a lock; how long the first lasts, each next one twice as long, and the longest."""


class PersonNeedsHospital(InputError):
    code = "person-needs-hospital"
    text = "A {role} belongs to one hospital; name it with --hospital NAME, or `hospital` in the body."


class NameTaken(Conflict):
    code = "name-taken"
    text = "Somebody signs in as {name} already, or by the same identity. Names are one list for all: choose another."


class PersonUnknown(NotFound):
    code = "person-unknown"
    text = "There is no person {person} that you may change. Those there are: `./sera person list`, or GET /v1/people."


@dataclass(frozen=True)
class Person:
    """A person as others may know it."""

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
"""Ends every session that there is."""


class People:
    """Of the whole house; or of one hospital, whose administrator sees them all and changes its staff."""

    def __init__(
        self, session: Session, audit: AuditTrail, hospital: UUID | None = None
    ) -> None:
        self._session = session
        self._audit = audit
        self._hospital = hospital

    def all(self) -> list[Person]:
        """By name."""
        return [
            _person(row)
            for row in self._session.execute(
                self._mine(select(*PERSON_COLUMNS)).order_by(PersonRow.name)
            )
        ]

    def find(self, person: UUID) -> Person:
        """Raises PersonUnknown."""
        row = self._session.execute(
            self._mine(select(*PERSON_COLUMNS)).where(PersonRow.id == person)
        ).first()
        if row is None:
            raise PersonUnknown(person=person)
        return _person(row)

    def create(
        self, name: str, role: Role, hospital: UUID | None, one_time_hash: str
    ) -> Person:
        """A person with a password to be changed. Raises PersonNeedsHospital, NameTaken, Forbidden."""
        told = {"password_hash": one_time_hash, "must_change": True}
        return self._add(sign_in_name(name), {**self._home(role, hospital), **told})

    def create_demo_person(
        self, name: str, role: Role, hospital: UUID | None, password_hash: str
    ) -> Person | None:
        """A person of the demo, whose password stays as it is; None if somebody has the name. Raises as `make` does."""
        if not self.is_name_free(name):
            return None
        told = {"password_hash": password_hash, "must_change": False}
        return self._add(sign_in_name(name), {**self._home(role, hospital), **told})

    def find_by_identity(self, issuer: str, subject: str) -> Person | None:
        """Whom a provider of identities means by its subject."""
        row = self._session.execute(
            select(*PERSON_COLUMNS).where(
                PersonRow.issuer == issuer, PersonRow.subject == subject
            )
        ).first()
        return _person(row) if row else None

    def create_with_identity(
        self, name: str, role: Role, hospital: UUID | None, issuer: str, subject: str
    ) -> Person:
        """A person without a password, who comes by a provider. Raises as `make` does."""
        told = {"issuer": issuer, "subject": subject}
        return self._add(sign_in_name(name), {**self._home(role, hospital), **told})

    def is_name_free(self, name: str) -> bool:
        return (
            self._session.scalar(
                select(PersonRow.id).where(PersonRow.name == sign_in_name(name))
            )
            is None
        )

    def create_first_operator(self, one_time_hash: str) -> Person | None:
        """The operator, if there is nobody yet; of several who ask at once one makes it."""
        self._session.execute(FIRST)
        if self._session.scalar(select(PersonRow.id).limit(1)):
            return None
        return self.create(FIRST_NAME, Role.OPERATOR, None, one_time_hash)

    def reset(self, person: UUID, one_time_hash: str) -> Person:
        """A new password to be changed, without an authenticator; what was signed in is not any more."""
        told = {
            "password_hash": one_time_hash,
            "must_change": True,
            **WITHOUT_TOTP,
            **UNLOCKED,
            **NEXT_GENERATION,
        }
        before = self._changeable(person)
        changed = self._change(person, told, Event.PASSWORD_RESET)
        if before.totp_since:
            self._record(Event.TOTP_OFF, changed)
        return changed

    def disable(self, person: UUID) -> Person:
        """Their sessions end at once. Twice is harmless. Raises PersonUnknown."""
        if (before := self._changeable(person)).disabled_at:
            return before
        return self._change(
            person, {"disabled_at": NOW, **NEXT_GENERATION}, Event.PERSON_DISABLED
        )

    def enable(self, person: UUID) -> Person:
        if not (before := self._changeable(person)).disabled_at:
            return before
        return self._change(person, {"disabled_at": None}, Event.PERSON_ENABLED)

    def unlock(self, person: UUID) -> Person:
        if not (before := self._changeable(person)).failures:
            return before
        return self._change(person, UNLOCKED, Event.PERSON_UNLOCKED)

    def change_role(self, person: UUID, role: Role) -> Person:
        """Within their hospital, or within the house. Their sessions end. Raises PersonNeedsHospital, Forbidden."""
        before = self._changeable(person)
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        if role in HOSPITAL_ROLES and before.hospital_id is None:
            raise PersonNeedsHospital(role=role)
        if role == before.role:
            return before
        home = {} if role in HOSPITAL_ROLES else {"hospital_id": None}
        return self._change(
            person,
            {"role": role, **home, **NEXT_GENERATION},
            Event.PERSON_ROLE_CHANGED,
            role=role,
        )

    def _home(self, role: Role, hospital: UUID | None) -> dict[str, Any]:
        if self._hospital and role not in STAFF_ROLES:
            raise Forbidden(role=Role.HOSPITAL_ADMIN, needed=Role.OPERATOR)
        hospital = self._hospital or hospital
        if role in HOSPITAL_ROLES and hospital is None:
            raise PersonNeedsHospital(role=role)
        return {
            "role": role,
            "hospital_id": hospital if role in HOSPITAL_ROLES else None,
        }

    def _add(self, name: str, told: Mapping[str, Any]) -> Person:
        new = (
            insert(PersonRow)
            .values(id=uuid4(), name=name, **told)
            .on_conflict_do_nothing()
        )
        row = self._session.execute(new.returning(*PERSON_COLUMNS)).first()
        if row is None:
            raise NameTaken(name=name)
        made = _person(row)
        self._record(Event.PERSON_CREATED, made, role=made.role)
        return made

    def _changeable(self, person: UUID) -> Person:
        query = (
            self._mine(select(*PERSON_COLUMNS)).where(PersonRow.id == person).with_for_update()
        )
        if self._hospital:
            query = query.where(PersonRow.role.in_(STAFF_ROLES))
        row = self._session.execute(query).first()
        if row is None:
            raise PersonUnknown(person=person)
        return _person(row)

    def _change(
        self, person: UUID, told: Mapping[str, Any], event: Event, **details: object
    ) -> Person:
        changed = (
            update(PersonRow)
            .where(PersonRow.id == person)
            .values(told)
            .returning(*PERSON_COLUMNS)
        )
        after = _person(self._session.execute(changed).one())
        self._record(event, after, **details)
        return after

    def _mine(self, query: AnySelect) -> AnySelect:
        return (
            query.where(PersonRow.hospital_id == self._hospital)
            if self._hospital
            else query
        )

    def _record(self, event: Event, person: Person, **details: object) -> None:
        self._audit.record_all(
            [
                AuditEntry(
                    event,
                    person.hospital_id,
                    details={"person": str(person.id), **details},
                )
            ]
        )


def sign_in_name(text: str) -> str:
    """One name however it is typed."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def lock_after(failures: Any) -> ColumnElement[datetime | None]:
    """Until when so many wrong guesses in a row lock a name."""
    doubled = FIRST_LOCK_S * func.power(2, func.least(failures - FREE_ATTEMPTS, 20))
    lock_s = func.least(doubled, MAX_LOCK_S)
    return case(
        (failures >= FREE_ATTEMPTS, NOW + func.make_interval(0, 0, 0, 0, 0, 0, lock_s)),
        else_=None,
    )


def _person(row: AnyRow) -> Person:
    return Person(**{**row._mapping, "role": Role(row.role)})
