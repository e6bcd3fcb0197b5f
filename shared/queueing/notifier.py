"""Notifies workers of new work after the commit.

A lost notification only delays a case, because beat sends further notifications.
"""

import time
from queue import Full, Queue
from threading import Lock, Thread
from typing import Protocol
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.errors import Unavailable
from shared.observability.logs import log
from shared.queueing.app import Tasks, redis_client

PAUSE_AFTER_FAILURE_S = 2.0
MAX_WAITING = 1000
"""Notifications that wait to be sent. Further ones are dropped."""
CLOSE_S = 2.0
"""How long a process that ends waits for its last notifications."""
BROKER_ERRORS = (OperationalError, RedisError, OSError)


class Notifier(Protocol):
    """Notifies workers that work is waiting."""

    def notify(self, task: Tasks, subject: UUID) -> None: ...

    def check(self) -> None:
        """Raise Unavailable if a notification would be lost now."""


class CeleryNotifier:
    def __init__(self, app: Celery) -> None:
        self._app = app
        self._paused_until = 0.0

    def notify(self, task: Tasks, subject: UUID) -> None:
        """Send the id and nothing else.

        After a failure no message is sent for a while, so that further requests do not wait for
        an unavailable broker.
        """
        if time.monotonic() < self._paused_until:
            return
        try:
            self._app.send_task(task, args=[str(subject)], retry=False)
        except BROKER_ERRORS as error:
            self._paused_until = time.monotonic() + PAUSE_AFTER_FAILURE_S
            log().warning(
                "doorbell.lost",
                task=task,
                subject=str(subject),
                error=type(error).__name__,
            )

    def check(self) -> None:
        """Open a new connection and ping the broker."""
        try:
            with self._app.connection_for_write() as connection:
                redis_client(connection).ping()
        except BROKER_ERRORS as error:
            raise Unavailable(service="The broker") from error


class BackgroundNotifier:
    """Sends notifications from a thread of its own, so that no request waits for the broker."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._waiting: Queue[tuple[Tasks, UUID] | None] = Queue(MAX_WAITING)
        self._lock = Lock()
        self._thread: Thread | None = None

    def notify(self, task: Tasks, subject: UUID) -> None:
        """Have the notification sent soon. It is dropped if too many wait."""
        self._start()
        try:
            self._waiting.put_nowait((task, subject))
        except Full:
            log().warning(
                "doorbell.lost", task=task, subject=str(subject), error="Full"
            )

    def check(self) -> None:
        self._notifier.check()

    def close(self) -> None:
        """Send what waits, for CLOSE_S at most."""
        if self._thread is None:
            return
        try:
            self._waiting.put(None, timeout=CLOSE_S)
        except Full:
            return
        self._thread.join(CLOSE_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._send, name="notifier", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while (notification := self._waiting.get()) is not None:
            task, subject = notification
            try:
                self._notifier.notify(task, subject)
            except Exception as error:  # noqa: BLE001 (further notifications are still sent)
                log().error("doorbell.failed", exc_info=error)
