"""Looks up hospitals by name among those that the caller may see."""

from uuid import UUID

from shared.domain.roles import Role
from shared.errors import Forbidden
from shared.ledger.hospitals.repository import Caller, HospitalUnknown

Names = dict[UUID, str]


def hospital_name(hospital: UUID | None, names: Names) -> str | None:
    """Return the name of a hospital, or None if `hospital` is None."""
    return names.get(hospital) if hospital else None


def find_hospital_id(name: str | None, names: Names, caller: Caller) -> UUID | None:
    """Return the id of the hospital with this name, or None if `name` is None.

    A caller of a hospital gets the same error for the name of another hospital as for an unknown
    name. Raises HospitalUnknown, Forbidden.
    """
    if not name:
        return None
    for hospital_id, hospital_name in names.items():
        if hospital_name == name:
            return hospital_id
    if caller.hospital_id:
        raise Forbidden(role=caller.role, needed=Role.OPERATOR)
    raise HospitalUnknown(name=name)
