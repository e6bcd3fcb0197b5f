"""Returns the memory that requests have freed to the system.

glibc keeps what was freed, in an arena for each of dozens of threads. After a burst of large images
a gateway would hold the memory of the burst for good. Libraries of images keep buffers for each
thread, too.
"""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

PERIOD_S = 10.0
"""How long freed memory stays in the process at most. The next request of a burst may use it."""
M_ARENA_MAX = -8
"""The number of this option in malloc.h of glibc."""
ARENAS = 2
"""With an arena for each thread, the pieces that are still in use keep more memory than that.
Threads seldom compete for an arena: Python's lock lets one of them run outside of libraries."""


@asynccontextmanager
async def return_periodically() -> AsyncIterator[None]:
    """Return freed memory every PERIOD_S, in a thread of those that handle requests.

    Whenever one of these threads is asked for, AnyIO ends the others that were idle for 10 s, and
    their buffers are freed.
    """
    task = asyncio.create_task(_return_forever())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _return_forever() -> None:
    while True:
        await asyncio.sleep(PERIOD_S)
        await run_in_threadpool(return_freed_memory)


def return_freed_memory() -> None:
    """Do nothing where the C library is not glibc."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


def limit_arenas() -> None:
    """Let all threads of the process share ARENAS arenas. Called before there are threads.

    Do nothing where the C library is not glibc.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
