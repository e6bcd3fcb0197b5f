"""Holds a request until what it asks for is there."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.jobs.retry import retry_while_unavailable
from services.api.middleware.authentication import is_credential_valid
from services.api.middleware.transactions import Slot
from shared.errors import Unauthenticated, Unavailable
from shared.ledger import Transaction
from shared.ledger.db_role import translate_database_errors
from shared.ledger.hospitals.repository import Caller

Answer = TypeVar("Answer")


class LongPoll:
    """Reads again each time the ledger says that the subject changed.

    While a request waits, it holds no transaction and no slot. Each read uses a separate
    transaction.
    """

    def __init__(
        self,
        transaction: Transaction,
        caller: Caller,
        dependencies: Dependencies,
        slot: Slot | None = None,
    ) -> None:
        """`slot` is the slot of the request. It is released while the request waits."""
        self._transaction = transaction
        self._caller = caller
        self._dependencies = dependencies
        self._slot = slot

    async def read(
        self,
        subject: UUID,
        read: Callable[[], Answer],
        *,
        is_final: Callable[[Answer], bool],
        wait_s: float,
    ) -> Answer:
        """Return what `read` returns as soon as that is final, but at the latest after `wait_s`.

        `read` uses the request's transaction, and runs in a thread. Raises TooManyWaits, and
        Unauthenticated if the key or session ends meanwhile.
        """
        max_wait_s = self._dependencies.settings.long_poll_max_s
        deadline = time.monotonic() + min(wait_s, max_wait_s)
        answer = await asyncio.to_thread(read)
        if not wait_s or is_final(answer):
            return answer
        with self._dependencies.open_waits.poll(self._caller.credential):
            while not is_final(answer):
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    break
                if not await self._wait_for_change(subject, remaining_s):
                    break
                answer = await retry_while_unavailable(
                    partial(self.read_again, read), deadline
                )
        return answer

    def read_again(self, read: Callable[[], Answer]) -> Answer:
        """Read in a new transaction. Raises Unauthenticated if the key or session has ended."""
        transaction = self._transaction
        try:
            with translate_database_errors():
                if not is_credential_valid(transaction, self._caller):
                    raise Unauthenticated
                answer = read()
                transaction.commit()
            return answer
        finally:
            transaction.rollback()

    async def _wait_for_change(self, subject: UUID, within_s: float) -> bool:
        """End the transaction, then wait until the subject may have changed.

        Returns False if no slot is free to read it again.
        """
        with self._dependencies.job_changes.watch(subject) as change:
            await asyncio.to_thread(self._transaction.commit)
            if self._slot is not None:
                self._slot.release()
            await change.wait(within_s)
        if self._slot is None:
            return True
        try:
            await self._slot.take()
        except Unavailable:
            return False
        return True
