"""Writing what was worked for, also when the database is away for a moment."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.errors import Unavailable

RETRY_S = 0.5
Written = TypeVar("Written")


def retry_while_unavailable(write: Callable[[], Written], lease: timedelta) -> Written:
    """Try again while the database is away, for as long as a lease lasts; past that somebody else has the work."""
    until = time.monotonic() + lease.total_seconds()
    while True:
        try:
            return write()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(RETRY_S)
