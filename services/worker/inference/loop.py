"""The worker's loop: claim, prepare, infer, write.

The next batch is prepared while the current one is in inference.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.worker import metrics
from services.worker.bundle_cache import ServedModel
from services.worker.inference import telemetry
from services.worker.inference.adaptive_batch import AdaptiveBatch
from services.worker.inference.preparation import (
    Batch,
    Preparation,
    PreparedJob,
    internal_failure,
)
from services.worker.inference.results import JobResult, make_job_result
from services.worker.live_model import LiveModel
from shared.domain.results.prediction import Prediction
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.jobs.lease import Failure, Lease
from shared.ledger.jobs.queue import QueueStatus
from shared.ledger.retry import retry_while_unavailable
from shared.observability.logs import log
from shared.observability.timings import collect_timings, measure
from shared.settings import Settings

ENGINE_RETRY_DELAY = timedelta(seconds=2)
"""How long a job waits that could not be tried because an engine was unavailable."""


@dataclass(frozen=True)
class ClaimOutcome:
    """The prepared batch of one claim, if there was one, and whether the queue was empty."""

    batch: Batch | None = None
    is_queue_empty: bool = False


class InferenceService:
    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        live: LiveModel,
        preparation: Preparation,
        heartbeat: Heartbeat,
        run_interactive_work: Callable[[], object] = lambda: None,
    ) -> None:
        """`run_interactive_work` is called before each batch; it must be short and not raise."""
        self._settings = settings
        self._ledger = ledger
        self._live = live
        self._preparation = preparation
        self._heartbeat = heartbeat
        self._run_interactive_work = run_interactive_work
        self._lease = timedelta(seconds=settings.lease_s)
        self._batch_size = AdaptiveBatch(settings.max_images, settings.batch_s)
        self._closing = threading.Event()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")

    def work(self) -> None:
        """Work until no case waits, no model serves, or the worker is closing."""
        while batch := self._claim_batch().batch:
            if self._process_all(batch):
                return  # a case that arrived since then has sent its own notification

    def _process_all(self, first_batch: Batch) -> bool:
        """Process a batch and all that follow it without a gap.

        A batch with a job whose earlier worker was lost is processed alone. Returns whether the
        claim of the next batch found the queue empty.
        """
        next_batch: Batch | None = first_batch
        is_queue_empty = False
        while next_batch and not self._closing.is_set():
            batch = next_batch
            ahead: Future[ClaimOutcome] | None = None
            if not batch.is_suspect:
                ahead = self._ahead.submit(self._claim_batch, busy=True)
            try:
                self._run_interactive_work()
                self._process(batch)
            except BaseException:
                self._return_ahead(ahead)
                raise
            claim = ahead.result() if ahead else ClaimOutcome()
            next_batch = claim.batch
            is_queue_empty = claim.is_queue_empty
        if next_batch:
            self._give_back(next_batch)
        return is_queue_empty

    def close(self) -> None:
        """Claim no more batches; safe from a signal handler."""
        self._closing.set()

    def open(self) -> None:
        """Return the jobs that an earlier process of this name left behind, and load the live
        model.
        """
        with self._ledger.system_session(self._settings.worker_name) as session:
            reclaimed = session.queue.reclaim(
                self._settings.max_attempts, lost_worker=self._settings.worker_name
            )
        metrics.EXPIRED.inc(reclaimed)
        self._live.refresh()

    def _claim_batch(self, busy: bool = False) -> ClaimOutcome:
        """Claim the next batch and prepare it."""
        if self._closing.is_set():
            return ClaimOutcome()
        served = self._live.serving()
        if served is None:
            return ClaimOutcome()
        status, lease = self._claim_lease(busy)
        served = self._live.follow(status.live) or served
        if not lease:
            return ClaimOutcome(is_queue_empty=status.is_empty)
        self._live.presence.record_claim()
        report_progress = self._hold_lease(lease.token)
        return ClaimOutcome(
            batch=self._preparation.prepare(lease, served, report_progress)
        )

    def _claim_lease(self, busy: bool) -> tuple[QueueStatus, Lease]:
        """Read the queue's status, with the live model, and claim jobs in one transaction."""
        with (
            collect_timings() as timings,
            measure("claim"),
            self._ledger.system_session(self._settings.worker_name) as session,
        ):
            status = session.queue.status()
            lease = session.queue.claim(
                worker=self._settings.worker_name,
                max_jobs=self._batch_size.size(),
                lease=self._lease,
                max_attempts=self._settings.max_attempts,
                busy=busy,
                status=status,
            )
        metrics.EXPIRED.inc(lease.expired)
        if lease:
            metrics.observe_stages(timings)
            metrics.BATCH.observe(len(lease.jobs))
        for job in lease.jobs:
            waited_s = job.waited_ms / 1000
            metrics.WAITED.labels(metrics.lane(job.urgent)).observe(waited_s)
        return status, lease

    def _hold_lease(self, token: UUID) -> Callable[[], None]:
        """Hold the lease, and return the callback that reports progress of its batch."""
        self._heartbeat.hold(token)
        return lambda: self._heartbeat.hold(token)

    def _process(self, batch: Batch) -> None:
        try:
            with collect_timings() as timings:
                answers = self._infer(batch)
                with measure("write"):
                    written = retry_while_unavailable(
                        lambda: self._write(batch, answers), self._lease
                    )
            telemetry.record_batch(batch, written, timings)
        finally:
            self._heartbeat.release(batch.token)

    def _infer(self, batch: Batch) -> dict[UUID, JobResult]:
        self._heartbeat.hold(batch.token)
        began = time.perf_counter()
        outcomes = self._predict(batch.served, batch.prepared_jobs)
        infer_s = time.perf_counter() - began
        images = len(batch.prepared_jobs)
        self._batch_size.record(images, infer_s)
        if images:
            metrics.INFERENCE.observe(infer_s / images)
        answers = {}
        for prepared, outcome in zip(batch.prepared_jobs, outcomes, strict=True):
            if isinstance(outcome, Failure):
                batch.failures[prepared.job.id] = outcome
            else:
                answers[prepared.job.id] = make_job_result(
                    served=batch.served,
                    prepared=prepared,
                    prediction=outcome,
                    settings=self._settings,
                    infer_ms=infer_s * 1000,
                )
        return answers

    def _predict(
        self, served: ServedModel, prepared_jobs: list[PreparedJob]
    ) -> list[Prediction | Failure]:
        """Predict the whole batch at once. If that breaks, predict one by one, so that only the
        culprit fails.
        """
        if not prepared_jobs:
            return []
        nodules = [prepared.nodule for prepared in prepared_jobs]
        try:
            outcomes = served.bundle.predict_each(nodules)
        except Exception as error:  # noqa: BLE001 (the culprit is found one by one, and logged)
            if len(prepared_jobs) == 1:
                return [internal_failure(prepared_jobs[0].job.id, error)]
            return [self._predict(served, [prepared])[0] for prepared in prepared_jobs]
        return [_prediction_or_failure(outcome) for outcome in outcomes]

    def _write(self, batch: Batch, answers: dict[UUID, JobResult]) -> set[UUID]:
        """Returns the jobs whose results were written."""
        results = {job: answer.result for job, answer in answers.items()}
        with self._ledger.system_session(self._settings.worker_name) as session:
            written = session.queue.finish(batch.token, batch.served.digest, results)
            session.observations.record([answers[job].observation for job in written])
            session.queue.fail(batch.token, batch.failures)
            session.queue.give_back(
                batch.token, batch.unreached_jobs, ENGINE_RETRY_DELAY
            )
        log().info(
            "batch.written",
            lost=len(answers) - len(written),
            done=len(written),
            failed=len(batch.failures),
            unreached=len(batch.unreached_jobs),
        )
        return written

    def _return_ahead(self, ahead: Future[ClaimOutcome] | None) -> None:
        """Give back the batch that was prepared ahead. If that fails too, its lease expires."""
        if ahead is None:
            return
        with suppress(SeraError):
            batch = ahead.result().batch
            if batch:
                self._give_back(batch)

    def _give_back(self, batch: Batch) -> None:
        self._heartbeat.release(batch.token)
        with self._ledger.system_session(self._settings.worker_name) as session:
            session.queue.give_back(batch.token, batch.job_ids, timedelta())


def _prediction_or_failure(outcome: Prediction | SeraError) -> Prediction | Failure:
    if isinstance(outcome, SeraError):
        return Failure(reason=outcome.code, facts=outcome.facts)
    return outcome
