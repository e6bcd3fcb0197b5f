"""Stores receipts: the responses to requests with an Idempotency-Key.

A repeated request gets the same response. Receipts are kept for a time, then deleted.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    String,
    Uuid,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.ledger.cases.repository import check_not_erased
from shared.ledger.tables import CaseRow, ReceiptRow

RETENTION = timedelta(days=7)

RESERVE = text(
    """
    INSERT INTO receipts (hospital_id, key, fingerprint, created_at)
    SELECT :hospital, :key, :fingerprint, clock_timestamp()
    FROM (SELECT set_config('lock_timeout', :wait, true) AS lock_timeout OFFSET 0) bounded
    WHERE bounded.lock_timeout IS NOT NULL
    ON CONFLICT (hospital_id, key)
    DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at,
        status = NULL, headers = NULL, body = NULL, case_id = NULL
    WHERE receipts.created_at < clock_timestamp() - :retention
    RETURNING set_config('lock_timeout', '0', true), (
        SELECT erased.case_id FROM receipts erased
        WHERE erased.key = sera_receipt_mark(:hospital, :key) AND erased.case_id IS NOT NULL
            AND erased.created_at >= clock_timestamp() - :retention
    ) AS erased_case_id
    """
).bindparams(
    bindparam("hospital", type_=Uuid()),
    bindparam("key", type_=String()),
    bindparam("retention", type_=Interval()),
)
"""Reserves a key in one statement, and returns the case of the key if that case was erased.

The statement waits a limited time for another transaction that has reserved the key. The limit does
not apply to later locks of the transaction.
"""


class KeyReused(Conflict):
    code = "idempotency-key-reused"
    text = (
        "This Idempotency-Key came earlier with another request. Send that one again as it was, "
        "or take a new key."
    )


@dataclass(frozen=True)
class StoredResponse:
    """A response as it was sent.

    `case` is the case in it, and is erased together with the receipt.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    case: UUID | None = None


class Receipts:
    """The receipts of one hospital, or of the system if the hospital is None."""

    def __init__(
        self,
        session: Session,
        hospital: UUID | None = None,
        retention: timedelta = RETENTION,
    ) -> None:
        self._session = session
        self._hospital = hospital
        self._retention = retention

    def find(self, key: str, fingerprint: str) -> StoredResponse | None:
        """Return the stored response to this key; None if there is none.

        Raises KeyReused if the key came with another request, CaseErased if its case was erased.
        """
        self._check_not_erased(key)
        query = select(ReceiptRow).where(*self._is_key(key), ~self._is_expired())
        row = self._session.scalar(query)
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise KeyReused
        if row.status is None or row.headers is None or row.body is None:
            return (
                None  # This transaction has reserved the key, and has no response yet.
            )
        return StoredResponse(
            status=row.status, headers=row.headers, body=row.body, case=row.case_id
        )

    def reserve(self, key: str, fingerprint: str, wait_s: float | None = None) -> bool:
        """Reserve the key for this transaction; False if it has a response. Raises CaseErased.

        If another transaction has reserved it, wait for that transaction's end: for at most
        `wait_s` seconds, or without a limit.
        """
        parameters = {
            "hospital": self._hospital,
            "key": key,
            "fingerprint": fingerprint,
            "wait": "0" if wait_s is None else f"{wait_s:g}s",
            "retention": self._retention,
        }
        row = self._session.execute(RESERVE, parameters).first()
        if row is None:
            return False
        if row.erased_case_id is not None:
            check_not_erased(self._session.get_one(CaseRow, row.erased_case_id))
        return True

    def store(self, key: str, response: StoredResponse) -> None:
        """Store the response to a reserved key."""
        statement = (
            update(ReceiptRow)
            .where(*self._is_key(key))
            .values(
                status=response.status,
                headers=response.headers,
                body=response.body,
                case_id=response.case,
            )
        )
        self._session.execute(statement)

    def sweep(self, retention: timedelta) -> int:
        """Delete all receipts that are older than the retention time; returns how many."""
        is_expired = ReceiptRow.created_at < func.clock_timestamp() - retention
        statement = delete(ReceiptRow).where(is_expired).returning(ReceiptRow.id)
        return len(self._session.scalars(statement).all())

    def _check_not_erased(self, key: str) -> None:
        """Raise CaseErased for the key of an erased case, of which only a keyed hash is stored."""
        key_hash = func.sera_receipt_mark(self._hospital, key)
        query = (
            select(CaseRow)
            .join(ReceiptRow, ReceiptRow.case_id == CaseRow.id)
            .where(ReceiptRow.key == key_hash, ~self._is_expired())
        )
        row = self._session.scalar(query)
        if row:
            check_not_erased(row)

    def _is_key(self, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        is_own = ReceiptRow.hospital_id.is_not_distinct_from(self._hospital)
        return (is_own, ReceiptRow.key == key)

    def _is_expired(self) -> ColumnElement[bool]:
        return ReceiptRow.created_at < func.clock_timestamp() - self._retention
