"""`python -m services.worker`: one process with one model, which does one task at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from services.worker.audit_sealing import Sealer
from services.worker.bundle_cache import BundleCache
from services.worker.explanations import ExplanationService
from services.worker.inference.loop import InferenceService
from services.worker.inference.preparation import Preparation, open_decoders
from services.worker.live_model import Follower, LiveModel
from services.worker.outlines import OutlineService
from services.worker.presence import Presence
from services.worker.retention import RetentionSweeper
from shared.engines import open_engine
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat, Renew
from shared.ledger.schema.compatibility import check_schema
from shared.networks.gpus import GpuCollector
from shared.objects import open_store
from shared.observability import logs, metrics, tracing
from shared.observability.liveness import LivenessReporter
from shared.observability.readiness import announce
from shared.queueing import Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.security.audit_signing import seal_key
from shared.security.last_seal import last_seal_places
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings


class ReportingHeartbeat(Heartbeat):
    """Reports progress when a batch is released: it was written or given back."""

    def __init__(
        self,
        renew: Renew,
        lease: timedelta,
        stuck: timedelta,
        liveness: LivenessReporter,
    ) -> None:
        super().__init__(renew, lease, stuck)
        self._liveness = liveness

    def release(self, token: UUID) -> None:
        super().release(token)
        self._liveness.report_progress()


@dataclass(frozen=True)
class WorkerServices:
    """Everything that a worker process runs."""

    inference: InferenceService
    explanations: ExplanationService
    outlines: OutlineService
    sealer: Sealer
    sweeper: RetentionSweeper
    follower: Follower


def bootstrap(settings: Settings, liveness: LivenessReporter) -> WorkerServices:
    """Build the worker's services and their dependencies."""
    decoders = open_decoders(settings, settings.decoders)
    ledger = Ledger(settings.database, pool_size=4)
    objects = open_store(settings.objects)
    engine = open_engine()
    bundle_cache = BundleCache(
        ledger=ledger,
        objects=objects,
        folder=settings.home / "cache" / "bundles",
        engine=engine,
    )
    live = LiveModel(
        ledger=ledger,
        bundle_cache=bundle_cache,
        worker=settings.worker_name,
        report_loading=liveness.report_long_task,
        presence=Presence(engine.device),
    )
    preparation = Preparation(objects, decoders)
    outlines = OutlineService(
        ledger=ledger, objects=objects, live=live, decoders=decoders
    )
    inference = InferenceService(
        settings=settings,
        ledger=ledger,
        live=live,
        preparation=preparation,
        heartbeat=_start_heartbeat(ledger, settings, liveness),
        run_interactive_work=outlines.draw_next,
    )

    def work_on_cases() -> None:
        """Draw an outline and process the cases that arrive during an explanation. This is called
        between two slices of the explanation.
        """
        outlines.draw_next()
        inference.work()
        liveness.report_progress()

    explanations = ExplanationService(
        ledger=ledger,
        objects=objects,
        live=live,
        bundle_cache=bundle_cache,
        preparation=preparation,
        run_urgent_work=work_on_cases,
    )
    return WorkerServices(
        inference=inference,
        explanations=explanations,
        outlines=outlines,
        sealer=Sealer(
            ledger,
            lambda: seal_key(settings),
            places=last_seal_places(settings, objects),
        ),
        sweeper=RetentionSweeper(ledger, objects, settings.retention_days),
        follower=Follower(live),
    )


def _start_heartbeat(
    ledger: Ledger, settings: Settings, liveness: LivenessReporter
) -> Heartbeat:
    lease = timedelta(seconds=settings.lease_s)

    def renew(tokens: list[UUID]) -> None:
        with ledger.system_session("worker") as session:
            session.queue.renew(tokens, lease)

    heartbeat = ReportingHeartbeat(
        renew=renew,
        lease=lease,
        stuck=timedelta(seconds=settings.stuck_after_s),
        liveness=liveness,
    )
    heartbeat.start()
    return heartbeat


def register(app: Celery, services: WorkerServices, liveness: LivenessReporter) -> None:
    """Register the tasks. A message is only a notification; its id is used only in the log."""

    @app.task(name=Tasks.INFER)
    def infer(subject: str) -> None:
        with _reported_progress(liveness):
            services.inference.work()

    @app.task(name=Tasks.OUTLINE)
    def outline(subject: str) -> None:
        with _reported_progress(liveness):
            services.outlines.draw_all(services.inference.work)

    @app.task(name=Tasks.EXPLAIN)
    def explain(subject: str) -> None:
        liveness.report_long_task()
        with _reported_progress(liveness):
            services.explanations.make_next()

    @app.task(name=Tasks.SEAL)
    def seal(subject: str) -> None:
        services.sealer.seal()

    @app.task(name=Tasks.SWEEP)
    def sweep(subject: str) -> None:
        services.sweeper.sweep()


@contextmanager
def _reported_progress(liveness: LivenessReporter) -> Iterator[None]:
    """Report progress after a round, even if the round fails because an engine is unavailable."""
    try:
        yield
    finally:
        liveness.report_progress()


def main() -> None:
    settings = refuse_unsafe(Settings())
    logs.configure("worker", settings.log_level, worker=settings.worker_name)
    tracing.configure("worker", settings)
    metrics.serve(settings, GpuCollector())
    check_schema(settings.database)
    liveness = LivenessReporter(
        path=settings.alive_file,
        timeout_s=settings.stuck_after_s,
        long_task_s=settings.long_task_s,
    )
    services = bootstrap(settings, liveness)
    services.inference.open()
    liveness.report_progress()
    services.follower.start()
    app = celery_app(settings.broker)
    register(app, services, liveness)
    worker_shutting_down.connect(lambda **_: services.inference.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    queues = [
        Queues.INTERACTIVE,
        Queues.INFERENCE,
        Queues.EXPLAIN,
        Queues.AUDIT,
    ]
    run_solo(app, queues, settings.worker_name)


if __name__ == "__main__":
    main()
