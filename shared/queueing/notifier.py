"""Notifies workers of new work after the commit.

A lost notification only delays a case, because beat sends further notifications.
"""

import time
from typing import Protocol
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.errors import Unavailable
from shared.observability.logs import log
from shared.queueing.app import Tasks, redis_client

PAUSE_AFTER_FAILURE_S = 2.0
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
