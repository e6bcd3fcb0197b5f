"""Routes of the queue and its dead letters. Operators only."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.api.dependencies import DependenciesDep, Operator, SystemSessionDep
from services.api.queue.schemas import DeadLetterView, QueueView, Rerun, RerunView
from services.api.queue.service import QueueService
from services.api.strict_requests import StrictRoute
from services.api.text import PlainText

router = APIRouter(route_class=StrictRoute, prefix="/v1/queue", tags=["jobs"])


def queue_service(
    caller: Operator, session: SystemSessionDep, dependencies: DependenciesDep
) -> QueueService:
    return QueueService(session, dependencies.notifier)


QueueServiceDep = Annotated[QueueService, Depends(queue_service)]


@router.get("")
def read_queue(service: QueueServiceDep) -> QueueView:
    """Return waiting jobs by hospital and lane, running jobs with their leases, dead letters by
    reason, and workers.
    """
    return service.read()


@router.get("/dead-letters")
def list_dead_letters(
    service: QueueServiceDep,
    reason: Annotated[
        PlainText, Query(min_length=1, description="Code of the failure.")
    ],
) -> list[DeadLetterView]:
    """Return the last hundred jobs that failed with this reason. `POST /v1/jobs/{id}/rerun` queues
    one job again.
    """
    return service.dead_letters(reason)


@router.post("/rerun", status_code=202)
def rerun_dead_letters(rerun: Rerun, service: QueueServiceDep) -> RerunView:
    """Queue the dead letters of this reason again with fresh attempts, at most 1,000 per
    request.
    """
    return service.rerun(rerun.reason)
