"""Answers that are being waited for go on after the database was away for a moment."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import Unavailable

AWAY_S = 60.0
RETRY_S = 0.5
Answer = TypeVar("Answer")


async def retry_while_unavailable(ask: Callable[[], Answer], until: float | None = None) -> Answer:
    """The answer, asked for again while the database is away: until then by time.monotonic(), or for AWAY_S."""
    until = time.monotonic() + AWAY_S if until is None else until
    while True:
        try:
            return await asyncio.to_thread(ask)
        except Unavailable:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(RETRY_S)
