"""What was answered to an Idempotency-Key, so that a repeat gets the same answer. Kept for a time, then swept."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.ledger.cases import check_kept
from shared.ledger.tables import CaseRow, ReceiptRow

KEPT = timedelta(days=7)


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
        self, session: Session, hospital: UUID | None = None, kept: timedelta = KEPT
    ) -> None:
        self._session, self._hospital, self._kept = session, hospital, kept

    def find(self, key: str, fingerprint: str) -> Answer | None:
        """The earlier answer to this key.

        Raises KeyReused if it came with another request, CaseErased if its case is gone.
        """
        self._check_kept(key)
        mine = ReceiptRow.hospital_id.is_not_distinct_from(self._hospital)
        row = self._session.scalar(
            select(ReceiptRow).where(mine, ReceiptRow.key == key, ~self._past())
        )
        if row and row.fingerprint != fingerprint:
            raise KeyReused
        return row and Answer(row.status, row.headers, row.body, row.case_id)

    def reserve(self, key: str, fingerprint: str) -> bool:
        """Take the key for this transaction; False if it has an answer. Waits for who took it in another.

        Raises CaseErased.
        """
        self._check_kept(key)
        taken = {"fingerprint": fingerprint, "created_at": func.clock_timestamp()}
        row = insert(ReceiptRow).values(hospital_id=self._hospital, key=key, **taken)
        ours = row.on_conflict_do_update(
            index_elements=["hospital_id", "key"], set_=taken, where=self._past()
        )
        return self._session.scalar(ours.returning(ReceiptRow.id)) is not None

    def keep(self, key: str, answer: Answer) -> None:
        """The answer to a key that was reserved."""
        mine = ReceiptRow.hospital_id.is_not_distinct_from(self._hospital), ReceiptRow.key == key
        told = {
            "status": answer.status,
            "headers": answer.headers,
            "body": answer.body,
            "case_id": answer.case,
        }
        self._session.execute(update(ReceiptRow).where(*mine).values(told))

    def sweep(self, kept: timedelta) -> int:
        """Drop what was kept for so long, whoever's it is; returns how many there were."""
        past = ReceiptRow.created_at < func.clock_timestamp() - kept
        return self._session.execute(delete(ReceiptRow).where(past)).rowcount

    def _check_kept(self, key: str) -> None:
        """Raises CaseErased for the key of a case that is gone; of such a key only a mark is kept."""
        of_case = select(CaseRow).join(ReceiptRow, ReceiptRow.case_id == CaseRow.id)
        mark = func.sera_receipt_mark(self._hospital, key)
        if row := self._session.scalar(of_case.where(ReceiptRow.key == mark, ~self._past())):
            check_kept(row)

    def _past(self) -> ColumnElement[bool]:
        return ReceiptRow.created_at < func.clock_timestamp() - self._kept
