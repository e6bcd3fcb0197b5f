"""Requests with an Idempotency-Key: one transaction does the work and stores the receipt.

So after a crash either both exist or none does. A repeated request finds the stored response, or
does the work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import OperationalError

from shared.errors import Conflict
from shared.ledger.db_role import DatabaseRole, translate_database_errors
from shared.ledger.idempotency.receipts import Receipts, StoredResponse
from shared.ledger.transaction import Transaction

LOCK_NOT_AVAILABLE = "55P03"


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"
    retryable = True
    text = (
        "A request with this Idempotency-Key is under way. Send this one again in {retry_after_s} "
        "s for its answer."
    )


class AlreadyAnswered(Exception):
    """The request already has a stored response. Its transaction must be rolled back."""

    def __init__(self, answer: StoredResponse) -> None:
        super().__init__()
        self.response = answer


@dataclass(frozen=True)
class IdempotencyKey:
    """A key with its hospital, or with None for a request to the system."""

    hospital_id: UUID | None
    key: str
    retention: timedelta
    """How long its receipt is kept."""
    wait_s: float
    """How long to wait while another request with this key is being processed."""


class IdempotentRequest:
    """A request whose work is done only once.

    Call `reserve` before the work, and `commit` with the response after it.
    """

    def __init__(
        self,
        transaction: Transaction,
        key: IdempotencyKey,
        fingerprint: Callable[[], str],
    ) -> None:
        """`fingerprint` is equal for equal requests.

        A service may replace it by a more exact one.
        """
        self._transaction = transaction
        self._key = key
        self.fingerprint = fingerprint
        self._reserved = False

    def reserve(self) -> None:
        """Reserve the key for this transaction.

        Raises AlreadyAnswered, KeyReused, KeyInUse, CaseErased.
        """
        if self._reserved:
            return
        receipts = self._receipts()
        fingerprint = self.fingerprint()
        try:
            reserved = receipts.reserve(
                self._key.key, fingerprint, wait_s=self._key.wait_s
            )
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) == LOCK_NOT_AVAILABLE:
                raise KeyInUse(retry_after_s=1) from error
            raise
        if not reserved:
            response = receipts.find(self._key.key, fingerprint)
            if response is None:
                # The receipt was deleted just now. The next repeat starts again.
                raise KeyInUse(retry_after_s=1)
            raise AlreadyAnswered(response)
        self._reserved = True

    def commit(self, response: StoredResponse) -> None:
        """Store the response, and commit. Raises AlreadyAnswered if another request came first."""
        with translate_database_errors():
            self.reserve()
            self._receipts().store(self._key.key, response)
            self._transaction.commit()

    def _receipts(self) -> Receipts:
        session = self._transaction.session_as(DatabaseRole(self._key.hospital_id))
        return Receipts(
            session, hospital=self._key.hospital_id, retention=self._key.retention
        )
