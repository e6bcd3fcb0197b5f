"""`python -m services.beat`: rings every queue at a steady pace."""

from typing import Any

from celery.beat import Scheduler
from celery.signals import beat_init

from shared import telemetry
from shared.queueing import celery_app
from shared.queueing.app import Tasks
from shared.readiness import announce
from shared.safety import refuse_unsafe
from shared.settings import Settings


def main() -> None:
    settings = refuse_unsafe(Settings())
    telemetry.configure("beat", settings.log_level)
    app = celery_app(settings.broker)
    app.conf.beat_schedule = {task: ring(task, settings) for task in Tasks}
    app.conf.beat_max_loop_interval = settings.ring_every_s
    beat_init.connect(lambda **_: announce(settings), weak=False)
    app.Beat(scheduler_cls=Scheduler, quiet=True).run()


def ring(task: Tasks, settings: Settings) -> dict[str, Any]:
    slow = {Tasks.SEAL: settings.audit_seal_every_s, Tasks.SWEEP: settings.sweep_every_s}
    every_s = slow.get(task, settings.ring_every_s)
    return {"task": task, "schedule": every_s, "args": ["beat"], "options": {"expires": every_s}}


if __name__ == "__main__":
    main()
