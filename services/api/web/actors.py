"""Whom pages name and offer: people and keys by what events call them, roles and hospitals to choose from."""

from collections.abc import Sequence

from services.api.dependencies import CallerSession, is_permitted
from services.api.keys.service import KeyService
from services.api.people.service import PeopleService
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Permission, Role
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller


def actor_names(session: CallerSession, caller: Caller) -> dict[str, str]:
    """By `person:ID` and `key:ID`; whoever may keep neither reads events as they stand."""
    known: dict[str, str] = {}
    if is_permitted(caller.role, Permission.MANAGE_PEOPLE):
        people = PeopleService(session, caller).all()
        known |= {f"person:{person.id}": person.name for person in people}
    if is_permitted(caller.role, Permission.MANAGE_KEYS):
        keys = KeyService(session, caller).all()
        known |= {f"key:{key.id}": key.label for key in keys}
    return known


def hospital_names(session: CallerSession) -> list[str]:
    """Hospitals to choose from; a hospital's own staff has no choice."""
    if isinstance(session, HospitalSession):
        return []
    return [hospital.name for hospital in session.hospitals.all()]


def grantable_roles(caller: Caller) -> Sequence[Role]:
    """Those that this caller may give."""
    return [role for role in Role if caller.hospital_id is None or role in STAFF_ROLES]


def grantable_roles_within(caller: Caller, hospital: str | None) -> Sequence[Role]:
    """Those that somebody of this hospital, or of the house, may be given."""
    return [
        role
        for role in grantable_roles(caller)
        if (role in HOSPITAL_ROLES) == (hospital is not None)
    ]
