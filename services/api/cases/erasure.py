"""Erases a case for its hospital."""

from uuid import UUID

from services.api.cases.schemas import Tombstone
from shared.domain.erasure import ErasureReason
from shared.errors import NotFound
from shared.ledger import HospitalSession
from shared.queueing import Notifier
from shared.queueing.app import Tasks


def erase(
    session: HospitalSession, notifier: Notifier, case_id: UUID, ground: ErasureReason
) -> Tombstone:
    """What stays of the case; the image is removed right after the commit, or when beat asks for it."""
    erased = session.erasures.erase(case_id, ground)
    if erased is None:
        raise NotFound(thing="case")
    session.transaction.on_commit(lambda: notifier.notify(Tasks.SWEEP, case_id))
    return Tombstone(
        case_id=erased.case_id, erased_at=erased.erased_at, ground=erased.ground
    )
