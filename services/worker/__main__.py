"""`python -m services.worker`: one process, one model, solo pool."""

from datetime import timedelta
from uuid import UUID

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from services.worker.desk import InferenceDesk
from services.worker.explanations import ExplanationMaker
from services.worker.live import Follower, LiveModel
from services.worker.preparation import Preparation, open_decoders
from services.worker.sealing import Sealer
from services.worker.shelf import Shelf
from shared import telemetry
from shared.ledger import Ledger
from shared.ledger.heartbeat import Heartbeat
from shared.objects import open_store
from shared.queueing import Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.readiness import announce
from shared.safety import refuse_unsafe
from shared.sealing import seal_key
from shared.settings import Settings


def bootstrap(settings: Settings) -> tuple[InferenceDesk, ExplanationMaker, Sealer, Follower]:
    """All wiring of the worker."""
    decoders = open_decoders(settings, settings.decoders)
    ledger, objects = Ledger(settings.database, pool_size=4), open_store(settings.objects)
    shelf = Shelf(ledger, objects, settings.home / "cache" / "bundles")
    live, preparation = LiveModel(ledger, shelf, settings.worker_name), Preparation(objects, decoders)
    heartbeat = _heartbeat(ledger, timedelta(seconds=settings.lease_s), timedelta(seconds=settings.stuck_s))
    desk = InferenceDesk(settings, ledger, live, preparation, heartbeat)
    maker = ExplanationMaker(ledger, objects, live, shelf, preparation)
    return desk, maker, Sealer(ledger, lambda: seal_key(settings)), Follower(live)


def _heartbeat(ledger: Ledger, lease: timedelta, stuck: timedelta) -> Heartbeat:
    def renew(tokens: list[UUID]) -> None:
        with ledger.whole("worker") as house:
            house.queue.renew(tokens, lease)

    heartbeat = Heartbeat(renew, lease, stuck)
    heartbeat.start()
    return heartbeat


def register(app: Celery, desk: InferenceDesk, maker: ExplanationMaker, sealer: Sealer) -> None:
    """The tasks: each is a ring, and the id in it only serves the log."""

    @app.task(name=Tasks.RING)
    def ring(subject: str) -> None:
        desk.work()

    @app.task(name=Tasks.EXPLAIN)
    def explain(subject: str) -> None:
        maker.make_next()

    @app.task(name=Tasks.SEAL)
    def seal(subject: str) -> None:
        sealer.seal()


def main() -> None:
    settings = refuse_unsafe(Settings())
    telemetry.configure("worker", settings.log_level)
    desk, maker, sealer, follower = bootstrap(settings)
    desk.open()
    follower.start()
    app = celery_app(settings.broker)
    register(app, desk, maker, sealer)
    worker_shutting_down.connect(lambda **_: desk.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(app, [Queues.INFERENCE, Queues.EXPLAIN, Queues.AUDIT], settings.worker_name)


if __name__ == "__main__":
    main()
