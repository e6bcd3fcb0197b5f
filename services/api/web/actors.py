"""Names and choices that console pages show: actors of events, hospitals, and roles to grant."""

from collections.abc import Sequence

from services.api.dependencies import CallerSession, is_permitted
from services.api.keys.service import KeyService
from services.api.people.service import PeopleService
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Permission, Role
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller


def actor_names(session: CallerSession, caller: Caller) -> dict[str, str]:
    """Names by the actor of an event: `person:ID` or `key:ID`.

    Empty for a caller who may manage neither people nor keys.
    """
    names_by_actor: dict[str, str] = {}
    if is_permitted(caller.role, Permission.MANAGE_PEOPLE):
        people = PeopleService(session, caller).all()
        names_by_actor |= {f"person:{person.id}": person.name for person in people}
    if is_permitted(caller.role, Permission.MANAGE_KEYS):
        keys = KeyService(session, caller).all()
        names_by_actor |= {f"key:{key.id}": key.label for key in keys}
    return names_by_actor


def hospital_names(session: CallerSession) -> list[str]:
    """Hospitals to choose from. A hospital's own staff has no choice: empty."""
    if isinstance(session, HospitalSession):
        return []
    return [hospital.name for hospital in session.hospitals.all()]


def grantable_roles(caller: Caller) -> Sequence[Role]:
    """The roles that the caller may grant."""
    return [role for role in Role if caller.hospital_id is None or role in STAFF_ROLES]


def grantable_roles_within(caller: Caller, hospital: str | None) -> Sequence[Role]:
    """The roles that the caller may grant to somebody of this hospital; None: of no hospital."""
    return [
        role
        for role in grantable_roles(caller)
        if (role in HOSPITAL_ROLES) == (hospital is not None)
    ]
