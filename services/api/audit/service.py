"""Exports the audit trail, and puts on record that it did."""

from collections.abc import Iterator
from uuid import UUID

from services.api.dependencies import Wiring
from shared.domain.events import Event
from shared.errors import NotFound
from shared.ledger.audit import Entry
from shared.ledger.exporting import Trail
from shared.ledger.hospitals import Caller


def export(wired: Wiring, who: Caller, hospital: UUID | None) -> Iterator[str]:
    """The lines, read as they are sent. Raises NotFound for a hospital that there is not, or that is another's."""
    owner = hospital or who.hospital_id
    if who.hospital_id and owner != who.hospital_id:
        raise NotFound(thing="hospital")
    with wired.ledger.whole(who.actor) as house:
        if owner and owner not in {each.id for each in house.hospitals.all()}:
            raise NotFound(thing="hospital")
        house.audit.record_all([Entry(Event.AUDIT_EXPORTED, owner)])
    return Trail(wired.ledger, who.actor, owner).exported()
