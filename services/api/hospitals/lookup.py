"""A hospital by its name, as far as the caller may know it."""

from uuid import UUID

from shared.domain.roles import Role
from shared.errors import Forbidden
from shared.ledger.hospitals.repository import Caller, HospitalUnknown

Names = dict[UUID, str]


def hospital_name(hospital: UUID | None, names: Names) -> str | None:
    """None for what belongs to no hospital."""
    return names.get(hospital) if hospital else None


def find_hospital_id(name: str | None, names: Names, caller: Caller) -> UUID | None:
    """Another hospital's name is answered as one that nobody has. Raises HospitalUnknown, Forbidden."""
    if not name:
        return None
    for hospital, known in names.items():
        if known == name:
            return hospital
    if caller.hospital_id:
        raise Forbidden(role=caller.role, needed=Role.OPERATOR)
    raise HospitalUnknown(name=name)
