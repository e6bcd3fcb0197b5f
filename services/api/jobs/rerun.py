"""Runs dead letters again."""

from uuid import UUID

from services.api.jobs.schemas import Reruns
from shared.errors import NotFound
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.queueing import Notifier
from shared.queueing.app import Tasks

MOST_JOBS = 1000
"""Jobs that one request queues again."""


def rerun(
    transaction: Transaction, caller: Caller, notifier: Notifier, job_id: UUID
) -> None:
    """Raises NotFound for another hospital's as for none, NotADeadLetter."""
    if not _queue_again(transaction, caller, job_id):
        raise NotFound(thing="job")
    transaction.on_commit(lambda: notifier.notify(Tasks.INFER, job_id))


def rerun_all(session: HospitalSession, notifier: Notifier, reason: str) -> Reruns:
    queued = session.jobs.rerun_all(reason, MOST_JOBS)
    if queued:
        session.transaction.on_commit(lambda: notifier.notify(Tasks.INFER, queued[0]))
    return Reruns(queued=len(queued), more=len(queued) == MOST_JOBS)


def _queue_again(transaction: Transaction, caller: Caller, job_id: UUID) -> bool:
    if caller.hospital_id is None:
        return SystemSession(transaction, caller.actor).queue.rerun(job_id)
    return HospitalSession(transaction, caller.hospital_id, caller.actor).jobs.rerun(
        job_id
    )
