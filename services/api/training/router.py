"""Routes of training runs: request, follow, cancel, resume. Operators only."""

from collections.abc import AsyncIterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.api.dependencies import (
    DependenciesDep,
    Operator,
    SystemSessionDep,
    open_stream,
)
from services.api.strict_requests import StrictRoute
from services.api.training.recipes import RecipeView
from services.api.training.schemas import NewRun, RunEventView, RunSummary, RunView
from services.api.training.service import RunService

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["training"])


def run_service(
    caller: Operator, session: SystemSessionDep, dependencies: DependenciesDep
) -> RunService:
    return RunService(session, caller, dependencies)


RunServiceDep = Annotated[RunService, Depends(run_service)]
AfterEvent = Annotated[int, Query(ge=0, description="Id of the last event received.")]


@router.post("/training-runs", status_code=202)
def request_run(new: NewRun, service: RunServiceDep) -> RunView:
    """Queue a training run on a frozen version. Trainers carry out its steps."""
    return service.request(new)


@router.get("/recipes")
def list_recipes(service: RunServiceDep) -> list[RecipeView]:
    """Return the recipes that a run may use, with the weight files that trainers still need."""
    return service.recipes()


@router.get("/training-runs")
def list_runs(
    service: RunServiceDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[RunSummary]:
    """Return training runs, newest first."""
    return service.newest(limit)


@router.get("/training-runs/{run_id}")
def read_run(run_id: UUID, service: RunServiceDep) -> RunView:
    """Return a run with its steps, its progress and its estimated remaining time."""
    return service.read(run_id)


@router.get("/training-runs/{run_id}/log")
def read_log(
    run_id: UUID, service: RunServiceDep, after: AfterEvent = 0
) -> list[RunEventView]:
    """Return events of the run, oldest first: finished steps, losses and figures of each epoch."""
    return service.log(run_id, after)


def followed(run_id: UUID, service: RunServiceDep) -> RunService:
    """Refuse an unknown run before the stream of events begins."""
    service.read(run_id)
    return service


@router.get(
    "/training-runs/{run_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(open_stream)],
)
async def follow_run(
    run_id: UUID,
    service: Annotated[RunService, Depends(followed)],
    last_event_id: Annotated[
        int, Header(ge=0, description="Id of the event after which the stream resumes.")
    ] = 0,
) -> AsyncIterable[ServerSentEvent]:
    """Send server-sent events until the run has ended: `run` is the current state of the run, `log`
    is one of its events.
    """
    async for update in service.follow(run_id, last_event_id):
        if isinstance(update, RunEventView):
            yield ServerSentEvent(event="log", data=update, id=str(update.id))
        else:
            yield ServerSentEvent(event="run", data=update)


@router.post("/training-runs/{run_id}/cancel")
def cancel_run(run_id: UUID, service: RunServiceDep) -> RunView:
    """Stop a run. Finished steps are kept."""
    return service.cancel(run_id)


@router.post("/training-runs/{run_id}/resume", status_code=202)
def resume_run(run_id: UUID, service: RunServiceDep) -> RunView:
    """Continue a failed or cancelled run where it stopped."""
    return service.resume(run_id)
