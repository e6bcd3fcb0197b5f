"""Where passwords are hashed: beside the event loop, a few at a time, since each takes 64 MiB."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.errors import SeraError
from shared.security import passwords

Answer = TypeVar("Answer")
MAX_WAITING = 64
BUSY_S = 5


class PasswordHasherBusy(SeraError):
    code = "sign-in-busy"
    status = 429
    retryable = True
    text = "Too many people sign in at this moment. Nothing is wrong with your password; try again in {retry_after_s} s."


class PasswordHasherPool:
    def __init__(self, threads: int, most_waiting: int = MAX_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, "passwords")
        self._most = most_waiting
        self._in_hand = 0

    def check(self) -> None:
        """Raises BenchBusy if one more would wait too long."""
        if self._in_hand >= self._most:
            raise PasswordHasherBusy(retry_after_s=BUSY_S)

    async def matches(self, kept: str | None, password: str) -> bool:
        return await self._do(passwords.matches, kept, password)

    async def hash(self, password: str) -> str:
        return await self._do(passwords.hashed, password)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _do(self, work: Callable[..., Answer], *given: object) -> Answer:
        self.check()
        self._in_hand += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, work, *given
            )
        finally:
            self._in_hand -= 1
