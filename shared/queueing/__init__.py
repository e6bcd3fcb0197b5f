"""Celery: the app, its queues, and the notifier."""

from shared.queueing.app import Queues, celery_app
from shared.queueing.notifier import BackgroundNotifier, CeleryNotifier, Notifier
from shared.queueing.solo_worker import run_solo

__all__ = [
    "BackgroundNotifier",
    "CeleryNotifier",
    "Notifier",
    "Queues",
    "celery_app",
    "run_solo",
]
