"""Rings for the workers, after the commit. A lost ring costs delay, never the case: beat rings again."""

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
    """The port through which the gateway says that something waits."""

    def notify(self, task: Tasks, subject: UUID) -> None: ...

    def check(self) -> None:
        """Raise Unavailable if a ring would be lost now."""


class CeleryNotifier:
    def __init__(self, app: Celery) -> None:
        self._app = app
        self._silent_until = 0.0

    def notify(self, task: Tasks, subject: UUID) -> None:
        """Send the id and nothing else; after a lost ring be silent for a while, so that nobody waits for the next."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._app.send_task(task, args=[str(subject)], retry=False)
        except BROKER_ERRORS as lost:
            self._silent_until = time.monotonic() + PAUSE_AFTER_FAILURE_S
            log().warning(
                "doorbell.lost",
                task=task,
                subject=str(subject),
                error=type(lost).__name__,
            )

    def check(self) -> None:
        """Connect anew and have the broker answer."""
        try:
            with self._app.connection_for_write() as connection:
                redis_client(connection).ping()
        except BROKER_ERRORS as lost:
            raise Unavailable(service="The broker") from lost
