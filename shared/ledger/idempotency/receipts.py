"""What was answered to an Idempotency-Key, so that a repeat gets the same answer. Kept for a time, then swept."""

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
"""One statement: it waits for another transaction's receipt within bounds, and tells of an erased case's mark.

Only the wait for the receipt is bounded; what is locked later in the transaction waits as ever.
"""


class KeyReused(Conflict):
    code = "idempotency-key-reused"
    text = "This Idempotency-Key came earlier with another request. Send that one again as it was, or take a new key."


@dataclass(frozen=True)
class Answer:
    """An answer as it went out; `case` is the case that it tells of, so that both can be erased together."""

    status: int
    headers: dict[str, str]
    body: bytes
    case: UUID | None = None


class Receipts:
    """Of one hospital, or with None of the house."""

    def __init__(
        self, session: Session, hospital: UUID | None = None, retention: timedelta = RETENTION
    ) -> None:
        self._session = session
        self._hospital = hospital
        self._kept = retention

    def find(self, key: str, fingerprint: str) -> Answer | None:
        """The earlier answer to this key.

        Raises KeyReused if it came with another request, CaseErased if its case is gone.
        """
        self._check_kept(key)
        mine = ReceiptRow.hospital_id.is_not_distinct_from(self._hospital)
        row = self._session.scalar(
            select(ReceiptRow).where(mine, ReceiptRow.key == key, ~self._past())
        )
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise KeyReused
        if row.status is None or row.headers is None or row.body is None:
            return None  # reserved in this very transaction
        return Answer(row.status, row.headers, row.body, row.case_id)

    def reserve(self, key: str, fingerprint: str, wait_s: float | None = None) -> bool:
        """Take the key for this transaction; False if it has an answer. Raises CaseErased.

        Where another transaction has taken it, its end is waited for: `wait_s` at most, or without a limit.
        """
        reserved = self._session.execute(
            RESERVE,
            {
                "hospital": self._hospital,
                "key": key,
                "fingerprint": fingerprint,
                "wait": "0" if wait_s is None else f"{wait_s:g}s",
                "retention": self._kept,
            },
        ).first()
        if reserved is not None and reserved.erased_case_id is not None:
            check_not_erased(self._session.get_one(CaseRow, reserved.erased_case_id))
        return reserved is not None

    def store(self, key: str, answer: Answer) -> None:
        """The answer to a key that was reserved."""
        mine = (
            ReceiptRow.hospital_id.is_not_distinct_from(self._hospital),
            ReceiptRow.key == key,
        )
        values = {
            "status": answer.status,
            "headers": answer.headers,
            "body": answer.body,
            "case_id": answer.case,
        }
        self._session.execute(update(ReceiptRow).where(*mine).values(values))

    def sweep(self, retention: timedelta) -> int:
        """Drop what was kept for so long, whoever's it is; returns how many there were."""
        past = ReceiptRow.created_at < func.clock_timestamp() - retention
        dropped = self._session.scalars(
            delete(ReceiptRow).where(past).returning(ReceiptRow.id)
        )
        return len(dropped.all())

    def _check_kept(self, key: str) -> None:
        """Raises CaseErased for the key of a case that is gone; of such a key only a mark is kept."""
        of_case = select(CaseRow).join(ReceiptRow, ReceiptRow.case_id == CaseRow.id)
        mark = func.sera_receipt_mark(self._hospital, key)
        if row := self._session.scalar(
            of_case.where(ReceiptRow.key == mark, ~self._past())
        ):
            check_not_erased(row)

    def _past(self) -> ColumnElement[bool]:
        return ReceiptRow.created_at < func.clock_timestamp() - self._kept
