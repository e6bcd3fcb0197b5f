"""The worker's loop: claim, prepare, infer, write; while one batch is inferred the next is being prepared."""

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
from services.worker.inference.preparation import Batch, Preparation, PreparedJob, internal_failure
from services.worker.inference.results import Answer, make_answer
from services.worker.live_model import LiveModel
from shared.domain.results.prediction import Prediction
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.jobs.queue import Failure, Lease, QueueStatus
from shared.ledger.retry import retry_while_unavailable
from shared.observability.logs import log
from shared.observability.timings import collect_timings, measure
from shared.settings import Settings

AWAY = timedelta(seconds=2)


@dataclass(frozen=True)
class ClaimOutcome:
    """What one claim brought; `drained`: nothing was there to be claimed."""

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
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._live = live
        self._preparation = preparation
        self._heartbeat = heartbeat
        self._lease = timedelta(seconds=settings.lease_s)
        self._batch_size = AdaptiveBatch(settings.max_images, settings.batch_s)
        self._closing = threading.Event()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")

    def work(self) -> None:
        """Work until nothing waits, there is no model to work with, or the worker is closing."""
        while batch := self._take().batch:
            if self._work_through(batch):
                return  # what has come since then rings for itself

    def _work_through(self, batch: Batch) -> bool:
        """This batch and all that follow it without a gap; one with a job that outlived a worker is read alone.

        Returns whether the look ahead saw that nothing waits any more.
        """
        following: Batch | None = batch
        drained = False
        while following and not self._closing.is_set():
            batch = following
            ahead = None if batch.is_suspect else self._ahead.submit(self._take, busy=True)
            try:
                self._answer(batch)
            except BaseException:
                self._return(ahead)
                raise
            intake = ahead.result() if ahead else ClaimOutcome()
            following = intake.batch
            drained = intake.is_queue_empty
        if following:
            self._hand_back(following)
        return drained

    def close(self) -> None:
        """Take no more batches; safe from a signal handler."""
        self._closing.set()

    def open(self) -> None:
        """Put back what an earlier process of this name was working on when it died, and load the live model."""
        with self._ledger.system_session(self._settings.worker_name) as session:
            lost = session.queue.reclaim(
                self._settings.max_attempts, lost_worker=self._settings.worker_name
            )
        metrics.EXPIRED.inc(lost)
        self._live.refresh()

    def _take(self, busy: bool = False) -> ClaimOutcome:
        """Claim the next batch and prepare it."""
        served = None if self._closing.is_set() else self._live.serving()
        if served is None:
            return ClaimOutcome()
        status, lease = self._claim(busy)
        served = self._live.follow(status.live) or served
        if not lease:
            return ClaimOutcome(is_queue_empty=status.is_empty)
        self._live.presence.record_claim()
        return ClaimOutcome(
            self._preparation.prepare(lease, served, self._holding(lease.token))
        )

    def _claim(self, busy: bool) -> tuple[QueueStatus, Lease]:
        """What is live, and what there is to be claimed, in one transaction."""
        with (
            collect_timings() as laps,
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
            metrics.observe_stages(laps)
            metrics.BATCH.observe(len(lease.jobs))
        for job in lease.jobs:
            metrics.WAITED.labels(metrics.lane(job.urgent)).observe(
                job.waited_ms / 1000
            )
        return status, lease

    def _holding(self, token: UUID) -> Callable[[], None]:
        """Holds the lease, and says each time it is called that something of the batch moved."""
        self._heartbeat.hold(token)
        return lambda: self._heartbeat.hold(token)

    def _answer(self, batch: Batch) -> None:
        try:
            with collect_timings() as laps:
                answers = self._infer(batch)
                with measure("write"):
                    written = retry_while_unavailable(lambda: self._write(batch, answers), self._lease)
            telemetry.record_batch(batch, written, laps)
        finally:
            self._heartbeat.release(batch.token)

    def _infer(self, batch: Batch) -> dict[UUID, Answer]:
        self._heartbeat.hold(batch.token)
        began = time.perf_counter()
        outcomes = self._predict(batch.served, batch.prepared_jobs)
        infer_ms = (time.perf_counter() - began) * 1000
        self._batch_size.record(len(batch.prepared_jobs), infer_ms / 1000)
        if batch.prepared_jobs:
            metrics.INFERENCE.observe(infer_ms / 1000 / len(batch.prepared_jobs))
        answers = {}
        for prepared, outcome in zip(batch.prepared_jobs, outcomes, strict=True):
            if isinstance(outcome, Failure):
                batch.failures[prepared.job.id] = outcome
            else:
                answers[prepared.job.id] = make_answer(
                    batch.served, prepared, outcome, self._settings, infer_ms
                )
        return answers

    def _predict(
        self, served: ServedModel, ready: list[PreparedJob]
    ) -> list[Prediction | Failure]:
        """The batch at once; if that breaks, one by one, so that only the culprit fails."""
        try:
            outcomes = (
                served.bundle.predict_each([prepared.nodule for prepared in ready])
                if ready
                else []
            )
        except Exception as error:  # noqa: BLE001 (the culprit is found one by one, and logged)
            if len(ready) == 1:
                return [internal_failure(ready[0].job.id, error)]
            return [self._predict(served, [prepared])[0] for prepared in ready]
        return [
            Failure(each.code, each.facts) if isinstance(each, SeraError) else each
            for each in outcomes
        ]

    def _write(self, batch: Batch, answers: dict[UUID, Answer]) -> set[UUID]:
        """The jobs whose results were written."""
        results = {job: answer.result for job, answer in answers.items()}
        with self._ledger.system_session(self._settings.worker_name) as session:
            written = session.queue.finish(batch.token, batch.served.digest, results)
            session.observations.record([answers[job].observation for job in written])
            session.queue.fail(batch.token, batch.failures)
            session.queue.give_back(batch.token, batch.unreached_jobs, AWAY)
        counts = {
            "done": len(written),
            "failed": len(batch.failures),
            "unreached": len(batch.unreached_jobs),
        }
        log().info("batch.written", lost=len(answers) - len(written), **counts)
        return written

    def _return(self, ahead: Future[ClaimOutcome] | None) -> None:
        """Give back the batch that was prepared in vain; if that fails too, its lease runs out."""
        with suppress(SeraError):
            if ahead and (batch := ahead.result().batch):
                self._hand_back(batch)

    def _hand_back(self, batch: Batch) -> None:
        self._heartbeat.release(batch.token)
        with self._ledger.system_session(self._settings.worker_name) as session:
            session.queue.give_back(batch.token, batch.job_ids, timedelta())
