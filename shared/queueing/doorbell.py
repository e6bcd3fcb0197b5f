"""Rings for the workers, after the commit. A lost ring costs delay, never the case: beat rings again."""

from typing import Protocol
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.queueing.app import Tasks
from shared.telemetry import log

LOST = (OperationalError, RedisError, OSError)


class Doorbell(Protocol):
    """The port through which the gateway says that something waits."""

    def ring(self, task: Tasks, subject: UUID) -> None: ...


class CeleryDoorbell:
    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self, task: Tasks, subject: UUID) -> None:
        """Send the id and nothing else."""
        try:
            self._app.send_task(task, args=[str(subject)], retry=False)
        except LOST as lost:
            log().warning("doorbell.lost", task=task, subject=str(subject), error=type(lost).__name__)
