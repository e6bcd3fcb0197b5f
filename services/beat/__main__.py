"""`python -m services.beat`: rings every queue at a steady pace."""

import signal
import sys

from services.beat.notifier import PeriodicNotifier
from shared.observability import logs, metrics
from shared.observability.readiness import announce
from shared.queueing import celery_app
from shared.queueing.app import Tasks
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings


def main() -> None:
    settings = refuse_unsafe(Settings())
    logs.configure("beat", settings.log_level)
    metrics.serve(settings)
    bell = PeriodicNotifier(
        celery_app(settings.broker), {task: pace(task, settings) for task in Tasks}
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    announce(settings)
    bell.run()


def pace(task: Tasks, settings: Settings) -> float:
    """Seconds between two rings."""
    slow = {
        Tasks.SEAL: settings.audit_seal_every_s,
        Tasks.SWEEP: settings.sweep_every_s,
    }
    return slow.get(task, settings.ring_every_s)


if __name__ == "__main__":
    main()
