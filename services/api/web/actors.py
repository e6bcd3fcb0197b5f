"""Whom pages name and offer: people and keys by what events call them, roles and hospitals to choose from."""

from collections.abc import Sequence

from services.api.dependencies import Wiring, may
from services.api.keys.service import KeyDesk
from services.api.people.service import PeopleDesk
from shared.domain.roles import HOSPITAL_ROLES, STAFF_ROLES, Act, Role
from shared.ledger.hospitals import Caller


def names(wired: Wiring, caller: Caller) -> dict[str, str]:
    """By `person:ID` and `key:ID`; whoever may keep neither reads events as they stand."""
    known: dict[str, str] = {}
    if may(caller.role, Act.MANAGE_PEOPLE):
        known |= {f"person:{each.id}": each.name for each in PeopleDesk(wired, caller).all()}
    if may(caller.role, Act.MANAGE_KEYS):
        known |= {f"key:{each.id}": each.label for each in KeyDesk(wired, caller).all()}
    return known


def homes(wired: Wiring, caller: Caller) -> list[str]:
    """Hospitals to choose from; a hospital's own staff has no choice."""
    if caller.hospital_id:
        return []
    with wired.ledger.system_session(caller.actor) as session:
        return [each.name for each in session.hospitals.all()]


def roles(caller: Caller) -> Sequence[Role]:
    """Those that this caller may give."""
    return [role for role in Role if caller.hospital_id is None or role in STAFF_ROLES]


def roles_within(caller: Caller, hospital: str | None) -> Sequence[Role]:
    """Those that somebody of this hospital, or of the house, may be given."""
    return [role for role in roles(caller) if (role in HOSPITAL_ROLES) == (hospital is not None)]
