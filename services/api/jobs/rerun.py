"""Queues dead letters again."""

from uuid import UUID

from services.api.jobs.schemas import Reruns
from shared.errors import NotFound
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.queueing import Notifier
from shared.queueing.app import Tasks

MAX_JOBS = 1000
"""Maximum number of jobs that one request queues again."""


def rerun(
    transaction: Transaction, caller: Caller, notifier: Notifier, job_id: UUID
) -> None:
    """Queue one dead letter again.

    Raises NotADeadLetter. Raises NotFound if the job is unknown or belongs to another hospital.
    """
    session = _session_of(transaction, caller)
    if not session.dead_letters.rerun(job_id):
        raise NotFound(thing="job")
    transaction.on_commit(lambda: notifier.notify(Tasks.INFER, job_id))


def rerun_all(session: HospitalSession, notifier: Notifier, reason: str) -> Reruns:
    queued = session.dead_letters.rerun_all(reason, MAX_JOBS)
    if queued:
        session.transaction.on_commit(lambda: notifier.notify(Tasks.INFER, queued[0]))
    return Reruns(queued=len(queued), more=len(queued) == MAX_JOBS)


def _session_of(
    transaction: Transaction, caller: Caller
) -> HospitalSession | SystemSession:
    """Return a session that sees the job. An operator has no hospital and may queue the jobs of all
    hospitals again.
    """
    if caller.hospital_id is None:
        return SystemSession(transaction, caller.actor)
    return HospitalSession(transaction, caller.hospital_id, caller.actor)
