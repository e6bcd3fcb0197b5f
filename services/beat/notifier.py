"""Rings every queue at a steady pace, by a clock that nobody sets."""

import time
from collections.abc import Mapping
from typing import cast

from celery import Celery
from kombu.transport.virtual import Channel

from services.beat import metrics
from shared.observability.logs import log
from shared.queueing.app import Tasks
from shared.queueing.notifier import BROKER_ERRORS


class PeriodicNotifier:
    """A ring that still waits in its queue says all that another one would, so that none pile up where nobody listens.

    Wall clocks jump, and those of two machines differ: neither the pace nor whether a ring still counts goes by one.
    """

    def __init__(self, app: Celery, every_s: Mapping[Tasks, float]) -> None:
        self._app = app
        self._every_s = every_s
        self._due = dict.fromkeys(every_s, 0.0)

    def run(self) -> None:
        """Ring for as long as the process lives."""
        while True:
            self.round(time.monotonic())
            time.sleep(max(min(self._due.values()) - time.monotonic(), 0.0))

    def round(self, now: float) -> None:
        """Ring what is due."""
        due = [task for task, at in self._due.items() if at <= now]
        self._due |= {task: now + self._every_s[task] for task in due}
        try:
            for task in due:
                self._ring(task)
        except BROKER_ERRORS as lost:
            metrics.LOST_RINGS.inc()
            log().warning("bell.lost", error=type(lost).__name__)

    def _ring(self, task: Tasks) -> None:
        with self._app.connection_for_write() as line:
            channel = cast(
                Channel, line.default_channel
            )  # Redis and Valkey have virtual ones
            queue = self._app.conf.task_routes[task]
            declared = channel.queue_declare(queue, durable=True, auto_delete=False)
            if declared.message_count:
                metrics.UNHEARD.labels(task).inc()
                return
            self._app.send_task(task, args=["beat"], connection=line, retry=False)
            metrics.RINGS.labels(task).inc()
