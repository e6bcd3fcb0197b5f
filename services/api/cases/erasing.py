"""Erases a case for its hospital."""

from uuid import UUID

from services.api.cases.schemas import Tombstone
from services.api.dependencies import Wiring
from shared.domain.erasure import Ground
from shared.errors import NotFound
from shared.ledger.hospitals import Caller
from shared.queueing.app import Tasks


def erase(wired: Wiring, who: Caller, case_id: UUID, ground: Ground) -> Tombstone:
    """What stays of the case; the ring has the image removed at once, and beat rings too."""
    with wired.ledger.hospital_session(who.hospital_id, who.actor) as session:
        erased = session.erasures.erase(case_id, ground)
        if erased is None:
            raise NotFound(thing="case")
    wired.doorbell.ring(Tasks.SWEEP, case_id)
    return Tombstone(case_id=erased.case_id, erased_at=erased.erased_at, ground=erased.ground)
