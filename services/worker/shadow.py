"""`python -m services.worker.shadow`: a candidate reads live traffic beside the live model, out of its way.

A process of its own, niced and on one core, with its own queue. It loads PyTorch when a shadow is started and not
before, and begins anew when that has ended, so that where no shadow runs it costs a small process that sleeps.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from shared import metering, telemetry
from shared.ledger import Ledger
from shared.ledger.schema import check_schema
from shared.ledger.shadows import Shadow
from shared.queueing import Queues, celery_app, run_solo
from shared.queueing.app import Tasks
from shared.readiness import announce
from shared.safety import refuse_unsafe
from shared.settings import Settings
from shared.telemetry import log

if TYPE_CHECKING:
    from services.worker.shadow_desk import ShadowDesk
    from shared.imaging.sandbox.pool import SandboxPool

NICENESS = 10
ACTOR = "shadow"


class ShadowDoor:
    """Opens a desk when a shadow runs, and closes it when that has ended."""

    def __init__(
        self,
        ledger: Ledger,
        open_desk: "Callable[[Shadow], ShadowDesk]",
        begin_anew: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._open_desk = open_desk
        self._begin_anew = begin_anew
        self._desk: ShadowDesk | None = None
        self._closing = False

    def work(self) -> None:
        """Read what waits for the shadow that runs, until nothing does or it is ended."""
        while not self._closing and (shadow := self._running()):
            if self._desk is None or self._desk.shadow.id != shadow.id:
                self._desk = None  # the one before goes before the next one comes
                self._desk = self._open_desk(shadow)
            if not self._desk.read_next():
                return
        if self._desk and not self._closing:
            self._desk = None
            self._begin_anew()

    def close(self) -> None:
        """Take nothing more; safe from a signal handler."""
        self._closing = True

    def _running(self) -> Shadow | None:
        with self._ledger.system_session(ACTOR) as session:
            return session.shadows.current()


def bootstrap(settings: Settings) -> ShadowDoor:
    """All wiring of the shadow."""
    ledger = Ledger(settings.database, pool_size=2)

    @cache
    def decoders() -> "SandboxPool":
        from services.worker.preparation import open_decoders  # OpenCV comes with it

        return open_decoders(settings, 1)

    def open_desk(shadow: Shadow) -> "ShadowDesk":
        from services.worker.shadow_desk import open_desk  # PyTorch comes with it

        return open_desk(settings, ledger, decoders(), shadow)

    def end() -> None:
        decoders().close()
        begin_anew()

    return ShadowDoor(ledger, open_desk, end)


def begin_anew() -> None:
    """Become a fresh process under the same number: nothing else gives back the memory that PyTorch took."""
    log().info("shadow.begins-anew")
    os.execv(sys.executable, (sys.executable, "-m", "services.worker.shadow"))


def step_back() -> None:
    """Be at least as nice as a shadow has to be."""
    nice = max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS)
    os.setpriority(os.PRIO_PROCESS, 0, nice)


def register(app: Celery, door: ShadowDoor) -> None:
    @app.task(name=Tasks.SHADOW)
    def ring(subject: str) -> None:
        door.work()


def main() -> None:
    step_back()
    os.environ["OMP_NUM_THREADS"] = "1"
    settings = refuse_unsafe(Settings())
    telemetry.configure("shadow", settings.log_level, worker=settings.worker_name)
    metering.serve(settings)
    check_schema(settings.database)
    door = bootstrap(settings)
    app = celery_app(settings.broker)
    register(app, door)
    worker_shutting_down.connect(lambda **_: door.close(), weak=False)
    worker_ready.connect(lambda **_: announce(settings), weak=False)
    run_solo(app, [Queues.SHADOW], f"shadow-{settings.worker_name}")


if __name__ == "__main__":
    main()
