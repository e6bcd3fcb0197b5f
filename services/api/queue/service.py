"""Looks at the queue, and queues dead letters again."""

from dataclasses import asdict
from functools import partial
from typing import Any

from services.api.models.service import worker_view
from services.api.queue.schemas import (
    AT_ONCE,
    DeadLetterView,
    DeadView,
    InHandView,
    LineView,
    QueueView,
    RerunView,
)
from shared.domain.jobs import JobState, Priority
from shared.ledger import SystemSession
from shared.ledger.jobs.backlog import RunningJob, WaitingJobs
from shared.queueing import Notifier
from shared.queueing.app import Tasks

SHOWN = 100


class QueueService:
    def __init__(self, session: SystemSession, notifier: Notifier) -> None:
        self._session = session
        self._notifier = notifier

    def read(self) -> QueueView:
        backlog = self._session.backlog
        jobs_per_s = self._session.queue.jobs_per_second()
        return QueueView(
            waiting=[LineView(**_laned(line)) for line in backlog.waiting()],
            running=self._session.queue.depth()[JobState.RUNNING],
            in_hand=[InHandView(**_laned(job)) for job in backlog.running(SHOWN)],
            expired=backlog.count_expired(),
            dead=[DeadView(**asdict(dead)) for dead in backlog.dead_letter_summaries()],
            per_minute=None if jobs_per_s is None else round(jobs_per_s * 60, 1),
            workers=[worker_view(row) for row in self._session.serving.present_workers()],
        )

    def dead_letters(self, reason: str) -> list[DeadLetterView]:
        """Those that failed last."""
        letters = self._session.backlog.dead_letters(reason, SHOWN)
        return [DeadLetterView(**asdict(letter)) for letter in letters]

    def rerun(self, reason: str) -> RerunView:
        """Queue dead letters of a reason again; one notification each wakes every idle worker."""
        queued = self._session.dead_letters.rerun_all(reason, AT_ONCE)
        left = sum(
            dead.jobs for dead in self._session.backlog.dead_letter_summaries() if dead.reason == reason
        )
        for job_id in queued:
            self._session.transaction.on_commit(
                partial(self._notifier.notify, Tasks.INFER, job_id)
            )
        return RerunView(queued=len(queued), left=left)


def _laned(row: WaitingJobs | RunningJob) -> dict[str, Any]:
    told = asdict(row)
    return told | {"lane": Priority.URGENT if told.pop("urgent") else Priority.ROUTINE}
