"""Reads the queue, and queues dead letters again."""

from dataclasses import asdict
from functools import partial
from typing import Any

from services.api.models.service import worker_view
from services.api.queue.schemas import (
    MAX_RERUNS,
    DeadLetterSummaryView,
    DeadLetterView,
    QueueView,
    RerunView,
    RunningJobView,
    WaitingOutlinesView,
    WaitingView,
)
from shared.domain.jobs import JobState, Priority
from shared.ledger import SystemSession
from shared.ledger.jobs.backlog import RunningJob, WaitingJobs
from shared.queueing import Notifier
from shared.queueing.app import Tasks

MAX_SHOWN = 100


class QueueService:
    def __init__(self, session: SystemSession, notifier: Notifier) -> None:
        self._session = session
        self._notifier = notifier

    def read(self) -> QueueView:
        backlog = self._session.backlog
        jobs_per_s = self._session.queue.jobs_per_second()
        waiting = [WaitingView(**_with_lane(row)) for row in backlog.waiting()]
        running = [
            RunningJobView(**_with_lane(job)) for job in backlog.running(MAX_SHOWN)
        ]
        dead = [
            DeadLetterSummaryView(**asdict(summary))
            for summary in backlog.dead_letter_summaries()
        ]
        workers = self._session.serving.present_workers()
        return QueueView(
            waiting=waiting,
            outlines=self._outlines(),
            running=self._session.queue.depth()[JobState.RUNNING],
            in_hand=running,
            expired=backlog.count_expired(),
            dead=dead,
            per_minute=None if jobs_per_s is None else round(jobs_per_s * 60, 1),
            workers=[worker_view(worker) for worker in workers],
        )

    def _outlines(self) -> WaitingOutlinesView:
        waiting = self._session.outline_queue.waiting()
        return WaitingOutlinesView(requests=waiting.count, oldest_s=waiting.oldest_s)

    def dead_letters(self, reason: str) -> list[DeadLetterView]:
        """Return the latest dead letters of a reason."""
        letters = self._session.backlog.dead_letters(reason, MAX_SHOWN)
        return [DeadLetterView(**asdict(letter)) for letter in letters]

    def rerun(self, reason: str) -> RerunView:
        """Queue dead letters of a reason again. One notification is sent for each job, so that
        every idle worker wakes up.
        """
        queued = self._session.dead_letters.rerun_all(reason, MAX_RERUNS)
        for job_id in queued:
            self._session.transaction.on_commit(
                partial(self._notifier.notify, Tasks.INFER, job_id)
            )
        remaining = 0
        for summary in self._session.backlog.dead_letter_summaries():
            if summary.reason == reason:
                remaining += summary.jobs
        return RerunView(queued=len(queued), left=remaining)


def _with_lane(row: WaitingJobs | RunningJob) -> dict[str, Any]:
    """Return the row's fields, with `lane` in place of `urgent`."""
    fields = asdict(row)
    urgent = fields.pop("urgent")
    return fields | {"lane": Priority.URGENT if urgent else Priority.ROUTINE}
