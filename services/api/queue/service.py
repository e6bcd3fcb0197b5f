"""Looks at the queue, and queues dead letters again."""

from dataclasses import asdict
from typing import Any

from services.api.dependencies import Wiring
from services.api.models.service import worker
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
from shared.ledger.backlog import InHand, Line
from shared.ledger.hospitals import Caller
from shared.queueing.app import Tasks

SHOWN = 100


class QueueDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def read(self) -> QueueView:
        with self._wired.ledger.system_session(self._who.actor) as session:
            pace, backlog = session.queue.pace(), session.backlog
            return QueueView(
                waiting=[LineView(**_laned(each)) for each in backlog.lines()],
                running=session.queue.depth()[JobState.RUNNING],
                in_hand=[InHandView(**_laned(each)) for each in backlog.in_hand(SHOWN)],
                expired=backlog.expired(),
                dead=[DeadView(**asdict(each)) for each in backlog.dead()],
                per_minute=None if pace is None else round(pace * 60, 1),
                workers=[worker(each) for each in session.serving.alive()],
            )

    def dead_letters(self, reason: str) -> list[DeadLetterView]:
        """Those that failed last."""
        with self._wired.ledger.system_session(self._who.actor) as session:
            return [
                DeadLetterView(**asdict(each))
                for each in session.backlog.dead_letters(reason, SHOWN)
            ]

    def rerun(self, reason: str) -> RerunView:
        """Queue dead letters of a reason again; one ring for each wakes every worker that is idle."""
        with self._wired.ledger.system_session(self._who.actor) as session:
            queued = session.queue.rerun_all(reason, AT_ONCE)
            left = sum(each.jobs for each in session.backlog.dead() if each.reason == reason)
        for job in queued:
            self._wired.doorbell.ring(Tasks.RING, job)
        return RerunView(queued=len(queued), left=left)


def _laned(row: Line | InHand) -> dict[str, Any]:
    told = asdict(row)
    return told | {"lane": Priority.URGENT if told.pop("urgent") else Priority.ROUTINE}
