"""Retries reads of long answers while the database is unavailable for a moment."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import Unavailable

AWAY_S = 60.0
RETRY_S = 0.5
Answer = TypeVar("Answer")


async def retry_while_unavailable(
    read: Callable[[], Answer], deadline: float | None = None
) -> Answer:
    """Call `read` in a thread, again and again while the database is unavailable.

    `deadline` is a time of `time.monotonic()`; by default AWAY_S from now. After it Unavailable is
    raised.
    """
    if deadline is None:
        deadline = time.monotonic() + AWAY_S
    while True:
        try:
            return await asyncio.to_thread(read)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)
