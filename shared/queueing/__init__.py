"""Celery: the app, its queues, and the doorbell."""

from shared.queueing.app import Queues, celery_app
from shared.queueing.doorbell import CeleryDoorbell, Doorbell
from shared.queueing.solo_worker import run_solo

__all__ = ["CeleryDoorbell", "Doorbell", "Queues", "celery_app", "run_solo"]
