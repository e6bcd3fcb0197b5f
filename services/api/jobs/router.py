"""Routes of jobs: poll, long-poll, list, follow, cancel, run a dead letter again."""

from collections.abc import AsyncIterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.api.dependencies import (
    DependenciesDep,
    HospitalReader,
    HospitalSessionDep,
    IdempotentRequestDep,
    Rerunner,
    SlotDep,
    Submitter,
    TransactionDep,
    open_stream,
)
from services.api.jobs.rerun import rerun, rerun_all
from services.api.jobs.schemas import JobPage, JobView, Reruns
from services.api.jobs.service import JobService, etag
from services.api.strict_requests import StrictRoute
from services.api.text import PlainText
from shared.domain.jobs import FINAL_STATES, JobState

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["jobs"])


def job_service(
    caller: HospitalReader,
    session: HospitalSessionDep,
    slot: SlotDep,
    dependencies: DependenciesDep,
) -> JobService:
    return JobService(session, caller, dependencies, slot)


JobServiceDep = Annotated[JobService, Depends(job_service)]
Wait = Annotated[
    float,
    Query(
        ge=0,
        le=120,
        allow_inf_nan=False,
        description="Seconds to wait for a final state.",
    ),
]
Reason = Annotated[
    PlainText,
    Query(
        min_length=1,
        description="Code of the failure, as in a job's `reason`.",
        examples=["worker-lost"],
    ),
]


@router.get("/jobs/{job_id}", response_model=JobView)
async def read_job(
    job_id: UUID,
    service: JobServiceDep,
    response: Response,
    wait: Wait = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> JobView | Response:
    """Return the state of a job and, if it is done, its result. With `wait` the response is sent as
    soon as the state is final.
    """
    job = await service.wait(job_id, wait)
    headers = {"ETag": etag(job), "Vary": "Accept-Language"}
    if job.state not in FINAL_STATES:
        headers["Retry-After"] = "1"
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return job


@router.get("/jobs")
def list_jobs(
    service: JobServiceDep,
    state: JobState | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """Return the jobs of this hospital, newest first."""
    return service.page(state, cursor, limit)


async def followed(job_id: UUID, service: JobServiceDep) -> JobService:
    """Refuse an unknown job before the stream of events begins."""
    await service.wait(job_id, 0)
    return service


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(open_stream)],
)
async def follow_job(
    job_id: UUID, service: Annotated[JobService, Depends(followed)]
) -> AsyncIterable[ServerSentEvent]:
    """Send the job as a server-sent event each time it changes, until its state is final.

    A stream ends after an hour at most. Each key or session has a limited number of streams.
    """
    async for job in service.follow(job_id):
        yield ServerSentEvent(event="job", data=job)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(
    job_id: UUID,
    caller: Submitter,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
) -> JobView:
    """Cancel a job that has not started."""
    return JobService(session, caller, dependencies).cancel(job_id)


@router.post("/jobs/{job_id}/rerun", status_code=202)
def rerun_job(
    job_id: UUID,
    caller: Rerunner,
    transaction: TransactionDep,
    idempotent: IdempotentRequestDep,
    dependencies: DependenciesDep,
) -> dict[str, UUID]:
    """Queue a dead letter again with fresh attempts. An operator may do this for all hospitals,
    others only for their own hospital.
    """
    if idempotent is not None:
        idempotent.reserve()
    rerun(transaction, caller, dependencies.notifier, job_id)
    return {"job_id": job_id}


@router.post("/jobs/rerun", status_code=202)
def rerun_jobs(
    caller: Submitter,
    session: HospitalSessionDep,
    dependencies: DependenciesDep,
    reason: Reason,
) -> Reruns:
    """Queue this hospital's dead letters with one reason again, oldest first. One request queues at
    most 1,000 jobs.
    """
    return rerun_all(session, dependencies.notifier, reason)
