"""Runs dead letters again."""

from uuid import UUID

from services.api.dependencies import Wiring
from services.api.jobs.schemas import Reruns
from shared.errors import NotFound
from shared.ledger.hospitals import Caller
from shared.queueing.app import Tasks

AT_ONCE = 1000


def rerun(wired: Wiring, who: Caller, job_id: UUID) -> None:
    """Raises NotFound for another hospital's as for none, NotADeadLetter."""
    if not _queued(wired, who, job_id):
        raise NotFound(thing="job")
    wired.doorbell.ring(Tasks.RING, job_id)


def rerun_all(wired: Wiring, who: Caller, reason: str) -> Reruns:
    with wired.ledger.hospital_session(who.hospital_id, who.actor) as session:
        queued = session.jobs.rerun_all(reason, AT_ONCE)
    for job_id in queued[:1]:
        wired.doorbell.ring(Tasks.RING, job_id)
    return Reruns(queued=len(queued), more=len(queued) == AT_ONCE)


def _queued(wired: Wiring, who: Caller, job_id: UUID) -> bool:
    if who.hospital_id is None:
        with wired.ledger.system_session(who.actor) as system_session:
            return system_session.queue.rerun(job_id)
    with wired.ledger.hospital_session(who.hospital_id, who.actor) as hospital_session:
        return hospital_session.jobs.rerun(job_id)
