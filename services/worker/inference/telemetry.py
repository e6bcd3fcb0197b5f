"""Of a batch that is written: metrics, and for each case a line in the log and a trace."""

import time
from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from services.worker import metrics
from services.worker.inference.preparation import Batch
from shared.ledger.jobs.queue import ClaimedJob
from shared.observability import tracing
from shared.observability.logs import log
from shared.observability.timings import Timing


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    UNREACHED = "unreached"
    """Given back, since an engine was away."""
    LOST = "lost"
    """Answered, but another worker has the job by now."""


def record_batch(batch: Batch, written: Collection[UUID], laps: list[Timing]) -> None:
    """Of every job of the batch; `laps` are the stages that the whole batch went through."""
    metrics.observe_stages(laps)
    for job in batch.lease.jobs:
        own = batch.timings_by_job.get(job.id, ())
        metrics.observe_stages(own)
        _record_one(batch, job, _outcome(batch, job.id, written), [*own, *laps])


def _record_one(batch: Batch, job: ClaimedJob, outcome: Outcome, laps: list[Timing]) -> None:
    failure = batch.failures.get(job.id)
    code = failure.reason if failure else None
    lane = metrics.lane(job.urgent)
    whose = {
        "job": str(job.id),
        "case": str(job.case_id),
        "hospital": str(job.hospital_id),
    }
    metrics.JOBS.labels(outcome).inc()
    if outcome is Outcome.DONE:
        metrics.ANSWERED.labels(lane).observe(
            job.waited_ms / 1000 + time.monotonic() - batch.claimed_at
        )
    more = {"reason": code} if code else {}
    log().info(
        "case.worked", **whose, outcome=outcome, lane=lane, attempt=job.attempts, **more
    )
    tracing.record_finished_span(
        "case.work",
        job.traceparent,
        laps,
        code,
        **whose,
        outcome=outcome,
        lane=lane,
        attempt=job.attempts,
        batch=len(batch.lease.jobs),
        model=batch.served.digest,
    )


def _outcome(batch: Batch, job: UUID, written: Collection[UUID]) -> Outcome:
    if job in written:
        return Outcome.DONE
    if job in batch.failures:
        return Outcome.FAILED
    return Outcome.UNREACHED if job in batch.unreached_jobs else Outcome.LOST
