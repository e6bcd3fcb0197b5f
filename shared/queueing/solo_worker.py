"""Runs a Celery worker in the current process: one task at a time, which suits a GPU."""

import warnings
from collections.abc import Sequence

from celery import Celery
from celery.exceptions import SecurityWarning

from shared.queueing.app import Queues


def run_solo(app: Celery, queues: Sequence[Queues], name: str) -> None:
    """Consume the queues until the process gets a signal to stop."""
    # Celery warns about running as root because of pickled messages; SERA accepts only JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        queues=list(queues),
        hostname=f"{name}@%h",
        quiet=True,
    )
    worker.start()
