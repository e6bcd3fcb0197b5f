"""`python -m services.worker.shadow`: lets a candidate process the cases of the live model.

It is a separate process with a high nice value, on one core and with its own queue, so that it
never slows the live model.
"""

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from services.worker.shadow.loop import ShadowSupervisor
from shared.ledger import Ledger
from shared.ledger.models.shadows import Shadow
from shared.ledger.schema.compatibility import check_schema
from shared.observability import logs, metrics
from shared.observability.logs import log
from shared.observability.readiness import announce
from shared.queueing import Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings

if TYPE_CHECKING:
    from services.worker.shadow.service import ShadowService
    from shared.imaging.sandbox.pool import SandboxPool

NICENESS = 10


def bootstrap(settings: Settings) -> ShadowSupervisor:
    """Build the shadow worker's supervisor and its dependencies."""
    ledger = Ledger(settings.database, pool_size=2)

    @cache
    def decoders() -> "SandboxPool":
        # Imported late, because OpenCV comes with it.
        from services.worker.inference.preparation import open_decoders

        return open_decoders(settings, 1)

    def open_service(shadow: Shadow) -> "ShadowService":
        # Imported late, because PyTorch comes with it.
        from services.worker.shadow.service import open_shadow_service

        return open_shadow_service(
            settings=settings, ledger=ledger, decoders=decoders(), shadow=shadow
        )

    def close_and_restart() -> None:
        decoders().close()
        restart_process()

    return ShadowSupervisor(ledger, open_service, close_and_restart)


def restart_process() -> None:
    """Replace the process by a fresh one of the same pid.

    Only this returns the memory that PyTorch has allocated.
    """
    log().info("shadow.begins-anew")
    os.execv(sys.executable, (sys.executable, "-m", "services.worker.shadow"))


def lower_priority() -> None:
    """Raise the nice value to NICENESS, unless it is already higher."""
    nice = max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS)
    os.setpriority(os.PRIO_PROCESS, 0, nice)


def register(app: Celery, supervisor: ShadowSupervisor) -> None:
    @app.task(name=Tasks.SHADOW)
    def evaluate(subject: str) -> None:
        supervisor.work()


def main() -> None:
    lower_priority()
    os.environ["OMP_NUM_THREADS"] = "1"
    settings = refuse_unsafe(Settings())
    logs.configure("shadow", settings.log_level, worker=settings.worker_name)
    metrics.serve(settings)
    check_schema(settings.database)
    supervisor = bootstrap(settings)
    app = celery_app(settings.broker)
    register(app, supervisor)
    worker_shutting_down.connect(lambda **_: supervisor.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(app, [Queues.SHADOW], f"shadow-{settings.worker_name}")


if __name__ == "__main__":
    main()
