"""`python -m services.trainer`: one process, one training run at a time."""

from datetime import timedelta
from uuid import UUID

from celery import Celery
from celery.signals import worker_ready

from services.trainer.desk import ACTOR, TrainingDesk
from shared import telemetry
from shared.ledger import Ledger
from shared.ledger.heartbeat import Heartbeat
from shared.networks import WeightsFinder
from shared.objects import open_store
from shared.queueing import Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.readiness import announce
from shared.settings import Settings


def bootstrap(settings: Settings) -> TrainingDesk:
    """All wiring of the trainer."""
    ledger, lease = Ledger(settings.database, pool_size=2), timedelta(seconds=settings.lease_s)

    def renew(tokens: list[UUID]) -> None:
        with ledger.whole(ACTOR) as house:
            house.runs.renew(tokens, lease)

    heartbeat = Heartbeat(renew, lease)
    heartbeat.start()
    weights = WeightsFinder(settings.weights_dir, settings.home / "cache" / "weights")
    return TrainingDesk(ledger, open_store(settings.objects), weights, heartbeat, lease)


def register(app: Celery, desk: TrainingDesk) -> None:
    @app.task(name=Tasks.TRAIN)
    def train(subject: str) -> None:
        desk.work()


def main() -> None:
    settings = Settings()
    telemetry.configure("trainer", settings.log_level)
    app = celery_app(settings.broker)
    register(app, bootstrap(settings))
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(app, [Queues.TRAIN], "trainer")


if __name__ == "__main__":
    main()
