"""Notifies every queue at a steady period, by a monotonic clock."""

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
    """Sends a notification only to an empty queue, so that notifications do not pile up in a queue
    without a consumer.

    Wall clocks jump, and the wall clocks of two machines differ. So the period does not depend on a
    wall clock, and the decision whether a waiting notification still counts does not either.
    """

    def __init__(self, app: Celery, periods_s: Mapping[Tasks, float]) -> None:
        self._app = app
        self._periods_s = periods_s
        self._due_at = dict.fromkeys(periods_s, 0.0)

    def run(self) -> None:
        """Notify for as long as the process lives."""
        while True:
            self.notify_due(time.monotonic())
            next_due_at = min(self._due_at.values())
            time.sleep(max(next_due_at - time.monotonic(), 0.0))

    def notify_due(self, now: float) -> None:
        """Notify the queues whose time has come; `now` is by time.monotonic()."""
        due_tasks = [task for task, due_at in self._due_at.items() if due_at <= now]
        for task in due_tasks:
            self._due_at[task] = now + self._periods_s[task]
        try:
            for task in due_tasks:
                self._notify(task)
        except BROKER_ERRORS as error:
            metrics.LOST_ROUNDS.inc()
            log().warning("bell.lost", error=type(error).__name__)

    def _notify(self, task: Tasks) -> None:
        with self._app.connection_for_write() as connection:
            # Redis and Valkey have virtual channels.
            channel = cast(Channel, connection.default_channel)
            queue = self._app.conf.task_routes[task]
            declared = channel.queue_declare(queue, durable=True, auto_delete=False)
            if declared.message_count:
                metrics.SKIPPED.labels(task).inc()
                return
            self._app.send_task(task, args=["beat"], connection=connection, retry=False)
            metrics.SENT.labels(task).inc()
