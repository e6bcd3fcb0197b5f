"""A Celery worker in this very process: one task at a time, as a GPU wants it."""

import warnings
from collections.abc import Sequence

from celery import Celery
from celery.exceptions import SecurityWarning

from shared.queueing.app import Queues


def run_solo(app: Celery, queues: Sequence[Queues], name: str) -> None:
    """Consume the queues until told to stop."""
    # Celery warns of running as root, for the sake of pickled messages; only JSON is accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.Worker(
        pool="solo",
        concurrency=1,
        queues=list(queues),
        hostname=f"{name}@%h",
        quiet=True,
    ).start()
