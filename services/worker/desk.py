"""The worker's day: claim, prepare, infer, write; while one batch is inferred the next is being prepared."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from services.worker import meters
from services.worker.appetite import Appetite
from services.worker.live import LiveModel
from services.worker.preparation import Batch, Preparation, Prepared, internal
from services.worker.results import Answer, answer
from services.worker.shelf import Served
from services.worker.telling import tell
from shared.domain.prediction import Prediction
from shared.errors import SeraError
from shared.laps import lap, taking
from shared.ledger import Ledger
from shared.ledger.heartbeat import Heartbeat
from shared.ledger.insistence import insist
from shared.ledger.queue import Failure, Lease
from shared.settings import Settings
from shared.telemetry import log

AWAY = timedelta(seconds=2)


class InferenceDesk:
    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        live: LiveModel,
        preparation: Preparation,
        heartbeat: Heartbeat,
    ) -> None:
        self._settings, self._ledger, self._live = settings, ledger, live
        self._preparation, self._heartbeat = preparation, heartbeat
        self._lease = timedelta(seconds=settings.lease_s)
        self._appetite = Appetite(settings.max_images, settings.batch_s)
        self._closing = threading.Event()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")

    def work(self) -> None:
        """Work until nothing waits, there is no model to work with, or the worker is closing."""
        while batch := self._take():
            self._work_through(batch)

    def _work_through(self, batch: Batch | None) -> None:
        """This batch and all that follow it without a gap; one with a job that outlived a worker is read alone."""
        while batch and not self._closing.is_set():
            following = self._ahead.submit(self._take, busy=True) if not batch.suspect else None
            try:
                self._answer(batch)
            except BaseException:
                self._return(following)
                raise
            batch = following.result() if following else None
        if batch:
            self._hand_back(batch)

    def close(self) -> None:
        """Take no more batches; safe from a signal handler."""
        self._closing.set()

    def open(self) -> None:
        """Put back what an earlier process of this name was working on when it died, and load the live model."""
        with self._ledger.system_session(self._settings.worker_name) as session:
            lost = session.queue.reclaim(
                self._settings.max_attempts, lost_worker=self._settings.worker_name
            )
        meters.EXPIRED.inc(lost)
        self._live.current()

    def _take(self, busy: bool = False) -> Batch | None:
        served = None if self._closing.is_set() else self._live.current()
        if served is None:
            return None
        lease = self._claim(busy)
        if not lease:
            return None
        self._live.presence.claimed()
        return self._preparation.prepare(lease, served, self._holding(lease.token))

    def _claim(self, busy: bool) -> Lease:
        most, attempts = self._appetite.images(), self._settings.max_attempts
        with (
            taking() as laps,
            lap("claim"),
            self._ledger.system_session(self._settings.worker_name) as session,
        ):
            lease = session.queue.claim(
                self._settings.worker_name, most, self._lease, attempts, busy
            )
        meters.EXPIRED.inc(lease.expired)
        if lease:
            meters.went_through(laps)
            meters.BATCH.observe(len(lease.jobs))
        for job in lease.jobs:
            meters.WAITED.labels(meters.lane(job.urgent)).observe(job.waited_ms / 1000)
        return lease

    def _holding(self, token: UUID) -> Callable[[], None]:
        """Holds the lease, and says each time it is called that something of the batch moved."""
        self._heartbeat.hold(token)
        return lambda: self._heartbeat.hold(token)

    def _answer(self, batch: Batch) -> None:
        try:
            with taking() as laps:
                answers = self._infer(batch)
                with lap("write"):
                    written = insist(lambda: self._write(batch, answers), self._lease)
            tell(batch, written, laps)
        finally:
            self._heartbeat.let_go(batch.token)

    def _infer(self, batch: Batch) -> dict[UUID, Answer]:
        self._heartbeat.hold(batch.token)
        began = time.perf_counter()
        outcomes = self._predict(batch.served, batch.ready)
        infer_ms = (time.perf_counter() - began) * 1000
        self._appetite.took(len(batch.ready), infer_ms / 1000)
        if batch.ready:
            meters.INFERENCE.observe(infer_ms / 1000 / len(batch.ready))
        answers = {}
        for prepared, outcome in zip(batch.ready, outcomes, strict=True):
            if isinstance(outcome, Failure):
                batch.failed[prepared.job.id] = outcome
            else:
                answers[prepared.job.id] = answer(
                    batch.served, prepared, outcome, self._settings, infer_ms
                )
        return answers

    def _predict(self, served: Served, ready: list[Prepared]) -> list[Prediction | Failure]:
        """The batch at once; if that breaks, one by one, so that only the culprit fails."""
        try:
            outcomes = (
                served.bundle.predict_each([prepared.nodule for prepared in ready]) if ready else []
            )
        except Exception as error:  # noqa: BLE001 (the culprit is found one by one, and logged)
            if len(ready) == 1:
                return [internal(ready[0].job.id, error)]
            return [self._predict(served, [prepared])[0] for prepared in ready]
        return [
            Failure(each.code, str(each)) if isinstance(each, SeraError) else each
            for each in outcomes
        ]

    def _write(self, batch: Batch, answers: dict[UUID, Answer]) -> set[UUID]:
        """The jobs whose results were written."""
        results = {job: answer.result for job, answer in answers.items()}
        with self._ledger.system_session(self._settings.worker_name) as session:
            written = session.queue.finish(batch.token, batch.served.digest, results)
            session.observations.keep([answers[job].observation for job in written])
            session.queue.fail(batch.token, batch.failed)
            session.queue.give_back(batch.token, batch.unreached, AWAY)
        counts = {
            "done": len(written),
            "failed": len(batch.failed),
            "unreached": len(batch.unreached),
        }
        log().info("batch.written", lost=len(answers) - len(written), **counts)
        return written

    def _return(self, following: Future[Batch | None] | None) -> None:
        """Give back the batch that was prepared in vain; if that fails too, its lease runs out."""
        with suppress(SeraError):
            if following and (batch := following.result()):
                self._hand_back(batch)

    def _hand_back(self, batch: Batch) -> None:
        self._heartbeat.let_go(batch.token)
        with self._ledger.system_session(self._settings.worker_name) as session:
            session.queue.give_back(batch.token, batch.jobs, timedelta())
