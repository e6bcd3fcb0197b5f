"""Hashes passwords in a few threads outside the event loop. Each hash needs 64 MiB of memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.errors import SeraError
from shared.security import passwords

Result = TypeVar("Result")
MAX_PENDING = 64
BUSY_S = 5


class PasswordHasherBusy(SeraError):
    code = "sign-in-busy"
    status = 429
    retryable = True
    text = (
        "Too many people sign in at this moment. Nothing is wrong with your password; try again "
        "in {retry_after_s} s."
    )


class PasswordHasherPool:
    def __init__(self, threads: int, max_pending: int = MAX_PENDING) -> None:
        self._pool = ThreadPoolExecutor(threads, "passwords")
        self._max_pending = max_pending
        self._pending = 0

    def check(self) -> None:
        """Raise PasswordHasherBusy if one more password would wait too long."""
        if self._pending >= self._max_pending:
            raise PasswordHasherBusy(retry_after_s=BUSY_S)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        return await self._run(passwords.matches, password_hash, password)

    async def hash(self, password: str) -> str:
        return await self._run(passwords.hash_password, password)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., Result], *arguments: object) -> Result:
        self.check()
        self._pending += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, function, *arguments)
        finally:
            self._pending -= 1
