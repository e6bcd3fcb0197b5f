"""Retries a write while the database is unavailable, so that finished work is not lost."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.errors import Unavailable

RETRY_S = 0.5
Result = TypeVar("Result")


def retry_while_unavailable(write: Callable[[], Result], lease: timedelta) -> Result:
    """Call `write` until the database responds, for at most the length of a lease.

    After that another worker has the job. Raises the last Unavailable then.
    """
    deadline = time.monotonic() + lease.total_seconds()
    while True:
        try:
            return write()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
