"""Requests with an Idempotency-Key: the receipt of the answer is part of the transaction that does the work.

So a crash leaves both or neither, and a repeat finds the answer or does the work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import OperationalError

from shared.errors import Conflict
from shared.ledger.db_role import DatabaseRole, translate_database_errors
from shared.ledger.idempotency.receipts import Answer, Receipts
from shared.ledger.transaction import Transaction

LOCK_NOT_AVAILABLE = "55P03"


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"
    retryable = True
    text = "A request with this Idempotency-Key is under way. Send this one again in {retry_after_s} s for its answer."


class Answered(Exception):
    """The request was answered before; its transaction is to be undone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True)
class IdempotencyKey:
    """A key as one hospital, or with None the system, sent it."""

    hospital_id: UUID | None
    key: str
    retention: timedelta
    """How long its receipt is kept."""
    wait_s: float
    """How long to wait for another request with this key that is under way."""


class IdempotentRequest:
    """A request that is done once: reserve its receipt where its work begins, write its answer where that ends."""

    def __init__(
        self,
        transaction: Transaction,
        key: IdempotencyKey,
        fingerprint: Callable[[], str],
    ) -> None:
        """`fingerprint` is equal for equal requests; a service that knows its body better may replace it."""
        self._transaction = transaction
        self._key = key
        self.fingerprint = fingerprint
        self._reserved = False

    def reserve(self) -> None:
        """Take the key for this transaction. Raises Answered, KeyReused, KeyInUse, CaseErased."""
        if self._reserved:
            return
        receipts = self._receipts()
        fingerprint = self.fingerprint()
        try:
            reserved = receipts.reserve(
                self._key.key, fingerprint, wait_s=self._key.wait_s
            )
        except OperationalError as lost:
            if getattr(lost.orig, "pgcode", None) == LOCK_NOT_AVAILABLE:
                raise KeyInUse(retry_after_s=1) from lost
            raise
        if not reserved:
            answer = receipts.find(self._key.key, fingerprint)
            if answer is None:
                raise KeyInUse(
                    retry_after_s=1
                )  # its receipt went just now; a repeat starts anew
            raise Answered(answer)
        self._reserved = True

    def commit(self, answer: Answer) -> None:
        """Write the answer and commit the transaction. Raises Answered where another request came first."""
        with translate_database_errors():
            self.reserve()
            self._receipts().store(self._key.key, answer)
            self._transaction.commit()

    def _receipts(self) -> Receipts:
        session = self._transaction.session_as(DatabaseRole(self._key.hospital_id))
        return Receipts(session, self._key.hospital_id, self._key.retention)
