"""`python -m services.beat`: notifies every queue at a steady period."""

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
    periods_s = {task: period_s(task, settings) for task in Tasks}
    notifier = PeriodicNotifier(celery_app(settings.broker), periods_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    announce(settings)
    notifier.run()


def period_s(task: Tasks, settings: Settings) -> float:
    """Seconds between two notifications of a task's queue."""
    slow_tasks = {
        Tasks.SEAL: settings.audit_seal_every_s,
        Tasks.SWEEP: settings.sweep_every_s,
    }
    return slow_tasks.get(task, settings.ring_every_s)


if __name__ == "__main__":
    main()
