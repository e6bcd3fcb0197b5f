"""Retries the database reads of long responses if the database is unavailable for a short time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import Unavailable

MAX_OUTAGE_S = 60.0
RETRY_S = 0.5
Answer = TypeVar("Answer")


async def retry_while_unavailable(
    read: Callable[[], Answer], deadline: float | None = None
) -> Answer:
    """Call `read` in a thread. Repeat the call as long as the database is unavailable.

    `deadline` is a time of `time.monotonic()`, by default MAX_OUTAGE_S from now. Raises Unavailable
    after the deadline.
    """
    if deadline is None:
        deadline = time.monotonic() + MAX_OUTAGE_S
    while True:
        try:
            return await asyncio.to_thread(read)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)
