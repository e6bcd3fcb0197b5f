"""Telemetry of a written batch: metrics, and a log line and a trace for each case."""

import time
from collections.abc import Collection, Sequence
from enum import StrEnum
from uuid import UUID

from services.worker import metrics
from services.worker.inference.preparation import Batch, job_log_fields
from shared.ledger.jobs.lease import ClaimedJob
from shared.observability import tracing
from shared.observability.logs import log
from shared.observability.timings import Timing


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    UNREACHED = "unreached"
    """Released, because an engine was unavailable."""
    LOST = "lost"
    """A result was computed, but another worker has the job now."""


def record_batch(
    batch: Batch, written: Collection[UUID], batch_timings: Sequence[Timing]
) -> None:
    """Record every job of the batch; `batch_timings` are the stages of the whole batch."""
    metrics.observe_stages(batch_timings)
    for job in batch.lease.jobs:
        image_timings = batch.timings_by_job.get(job.id, ())
        metrics.observe_stages(image_timings)
        outcome = _outcome(batch, job.id, written)
        _record_job(batch, job, outcome, [*image_timings, *batch_timings])


def _record_job(
    batch: Batch, job: ClaimedJob, outcome: Outcome, timings: Sequence[Timing]
) -> None:
    failure = batch.failures.get(job.id)
    code = failure.reason if failure else None
    lane = metrics.lane(job.urgent)
    fields = job_log_fields(job)
    metrics.JOBS.labels(outcome).inc()
    if outcome is Outcome.DONE:
        waited_s = job.waited_ms / 1000
        worked_s = time.monotonic() - batch.claimed_at
        metrics.ANSWERED.labels(lane).observe(waited_s + worked_s)
    reason = {"reason": code} if code else {}
    log().info(
        "case.worked",
        **fields,
        outcome=outcome,
        lane=lane,
        attempt=job.attempts,
        **reason,
    )
    tracing.record_finished_span(
        "case.work",
        parent=job.traceparent,
        timings=timings,
        error_code=code,
        **fields,
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
    if job in batch.unreached_jobs:
        return Outcome.UNREACHED
    return Outcome.LOST
