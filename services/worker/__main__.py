"""`python -m services.worker`: one process, one model, solo pool."""

from collections.abc import Iterator
from contextlib import contextmanager
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
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings


class ReportingHeartbeat(Heartbeat):
    """Lets go of a batch when it is written or given back, which is what a worker is there for."""

    def __init__(
        self, renew: Renew, lease: timedelta, stuck: timedelta, progress: LivenessReporter
    ) -> None:
        super().__init__(renew, lease, stuck)
        self._progress = progress

    def let_go(self, token: UUID) -> None:
        super().release(token)
        self._progress.report_progress()


def bootstrap(
    settings: Settings, progress: LivenessReporter
) -> tuple[InferenceService, ExplanationService, Sealer, RetentionSweeper, Follower]:
    """All wiring of the worker."""
    decoders = open_decoders(settings, settings.decoders)
    ledger = Ledger(settings.database, pool_size=4)
    objects = open_store(settings.objects)
    engine = open_engine()
    shelf = BundleCache(ledger, objects, settings.home / "cache" / "bundles", engine)
    live = LiveModel(
        ledger,
        shelf,
        settings.worker_name,
        progress.report_long_task,
        Presence(engine.device),
    )
    preparation = Preparation(objects, decoders)
    heartbeat = _heartbeat(ledger, settings, progress)
    service = InferenceService(settings, ledger, live, preparation, heartbeat)
    maker = ExplanationService(
        ledger,
        objects,
        live,
        shelf,
        preparation,
        lambda: _cases_first(service, progress),
    )
    sealer = Sealer(ledger, lambda: seal_key(settings))
    return (
        service,
        maker,
        sealer,
        RetentionSweeper(ledger, objects, settings.retention_days),
        Follower(live),
    )


def _cases_first(service: InferenceService, progress: LivenessReporter) -> None:
    """Between two slices of an explanation: whatever case came meanwhile."""
    service.work()
    progress.report_progress()


def _heartbeat(ledger: Ledger, settings: Settings, progress: LivenessReporter) -> Heartbeat:
    lease = timedelta(seconds=settings.lease_s)

    def renew(tokens: list[UUID]) -> None:
        with ledger.system_session("worker") as session:
            session.queue.renew(tokens, lease)

    heartbeat = ReportingHeartbeat(
        renew, lease, timedelta(seconds=settings.stuck_after_s), progress
    )
    heartbeat.start()
    return heartbeat


def register(
    app: Celery,
    service: InferenceService,
    maker: ExplanationService,
    sealer: Sealer,
    sweeper: RetentionSweeper,
    progress: LivenessReporter,
) -> None:
    """The tasks: each is a ring, and the id in it only serves the log."""

    @app.task(name=Tasks.INFER)
    def ring(subject: str) -> None:
        with _told(progress):
            service.work()

    @app.task(name=Tasks.EXPLAIN)
    def explain(subject: str) -> None:
        progress.report_long_task()
        with _told(progress):
            maker.make_next()

    @app.task(name=Tasks.SEAL)
    def seal(subject: str) -> None:
        sealer.seal()

    @app.task(name=Tasks.SWEEP)
    def sweep(subject: str) -> None:
        sweeper.sweep()


@contextmanager
def _told(progress: LivenessReporter) -> Iterator[None]:
    """Also a round that met an engine that was away has come to its end."""
    try:
        yield
    finally:
        progress.report_progress()


def main() -> None:
    settings = refuse_unsafe(Settings())
    logs.configure("worker", settings.log_level, worker=settings.worker_name)
    tracing.configure("worker", settings)
    metrics.serve(settings, GpuCollector())
    check_schema(settings.database)
    progress = LivenessReporter(
        settings.alive_file, settings.stuck_after_s, settings.long_task_s
    )
    service, maker, sealer, sweeper, follower = bootstrap(settings, progress)
    service.open()
    progress.report_progress()
    follower.start()
    app = celery_app(settings.broker)
    register(app, service, maker, sealer, sweeper, progress)
    worker_shutting_down.connect(lambda **_: service.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(
        app, [Queues.INFERENCE, Queues.EXPLAIN, Queues.AUDIT], settings.worker_name
    )


if __name__ == "__main__":
    main()
