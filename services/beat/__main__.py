"""`python -m services.beat`: rings every queue at a steady pace."""

from celery.beat import Scheduler
from celery.signals import beat_init

from shared import telemetry
from shared.queueing import celery_app
from shared.queueing.app import Tasks
from shared.readiness import announce
from shared.settings import Settings


def main() -> None:
    settings = Settings()
    telemetry.configure("beat", settings.log_level)
    app = celery_app(settings.broker)
    ring = {"schedule": settings.ring_every_s, "args": ["beat"], "options": {"expires": settings.ring_every_s}}
    app.conf.beat_schedule = {task: {"task": task, **ring} for task in Tasks}
    app.conf.beat_max_loop_interval = settings.ring_every_s
    beat_init.connect(lambda **_: announce(settings), weak=False)
    app.Beat(scheduler_cls=Scheduler, quiet=True).run()


if __name__ == "__main__":
    main()
