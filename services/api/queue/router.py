"""The queue and its dead letters. Operators only."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.api.dependencies import Operator, WiringDep
from services.api.queue.schemas import DeadLetterView, QueueView, Rerun, RerunView
from services.api.queue.service import QueueDesk
from services.api.text import PlainText

router = APIRouter(prefix="/v1/queue", tags=["jobs"])


def desk(wired: WiringDep, who: Operator) -> QueueDesk:
    return QueueDesk(wired, who)


QueueDeskDep = Annotated[QueueDesk, Depends(desk)]


@router.get("")
def read_queue(desk: QueueDeskDep) -> QueueView:
    """What waits by hospital and lane, what is in hand until when, dead letters by reason, and who works."""
    return desk.read()


@router.get("/dead-letters")
def list_dead_letters(
    desk: QueueDeskDep,
    reason: Annotated[PlainText, Query(min_length=1, description="Why they failed.")],
) -> list[DeadLetterView]:
    """The hundred of this reason that failed last; `POST /v1/jobs/{id}/rerun` queues one again."""
    return desk.dead_letters(reason)


@router.post("/rerun", status_code=202)
def rerun_dead_letters(rerun: Rerun, desk: QueueDeskDep) -> RerunView:
    """Queue every dead letter of this reason again, with fresh attempts."""
    return desk.rerun(rerun.reason)
