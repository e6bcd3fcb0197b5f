"""`python -m services.trainer`: does one step at a time; several trainers share a run."""

import os
from datetime import timedelta
from uuid import UUID

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from services.trainer.gate import gate_policy
from services.trainer.service import ACTOR, TrainingService
from services.trainer.step_inputs import TrainingTools
from services.trainer.step_owner import StepOwner
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.schema.compatibility import check_schema
from shared.networks import WeightsFinder
from shared.networks.gpus import GpuCollector
from shared.objects import open_store
from shared.observability import logs, metrics, tracing
from shared.observability.readiness import announce
from shared.queueing import CeleryNotifier, Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings

NICENESS = 10
"""If a trainer shares a machine with a worker, cases have priority. A trainer that is alone on a
machine may use all of it.
"""


def bootstrap(settings: Settings, app: Celery) -> TrainingService:
    """Build the trainer's service and its dependencies."""
    ledger = Ledger(settings.database, pool_size=2)
    lease = timedelta(seconds=settings.lease_s)

    def renew(tokens: list[UUID]) -> None:
        with ledger.system_session(ACTOR) as session:
            session.steps.renew(tokens, lease)

    heartbeat = Heartbeat(renew, lease)
    heartbeat.start()
    cache_folder = settings.home / "cache"
    tools = TrainingTools(
        objects=open_store(settings.objects),
        weights=WeightsFinder(settings.weights_dir, cache_folder / "weights"),
        bundle_folder=cache_folder / "bundles",
        policy=gate_policy(settings),
    )
    return TrainingService(
        settings=settings,
        ledger=ledger,
        tools=tools,
        heartbeat=heartbeat,
        notifier=CeleryNotifier(app),
        owner=StepOwner.current(),
    )


def register(app: Celery, service: TrainingService) -> None:
    @app.task(name=Tasks.TRAIN)
    def train(subject: str) -> None:
        service.work()


def main() -> None:
    os.nice(NICENESS)
    settings = refuse_unsafe(Settings())
    logs.configure("trainer", settings.log_level, worker=settings.worker_name)
    tracing.configure("trainer", settings)
    metrics.serve(settings, GpuCollector())
    check_schema(settings.database)
    app = celery_app(settings.broker)
    service = bootstrap(settings, app)
    register(app, service)
    worker_shutting_down.connect(lambda **_: service.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(app, [Queues.TRAIN], f"trainer-{os.getpid()}")


if __name__ == "__main__":
    main()
