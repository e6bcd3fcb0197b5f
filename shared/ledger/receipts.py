"""What was answered to an Idempotency-Key, so that a repeat gets the same answer."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from shared.errors import Conflict
from shared.ledger.cases import check_kept
from shared.ledger.scope import Scoped
from shared.ledger.tables import CaseRow, ReceiptRow


class KeyReused(Conflict):
    code = "idempotency-key-reused"
    text = "This Idempotency-Key came earlier with another body. Send the same body again, or a new key for a new case."


@dataclass(frozen=True)
class Accepted:
    case_id: UUID
    job_id: UUID


class Receipts(Scoped):
    def find(self, key: str, fingerprint: str) -> Accepted | None:
        """The earlier answer to this key; raises KeyReused if its body was another, CaseErased if its case is gone."""
        names = key, func.sera_receipt_mark(self._hospital, key)
        row = self._session.scalar(self._mine(select(ReceiptRow), ReceiptRow).where(ReceiptRow.key.in_(names)))
        if row:
            check_kept(self._session.get_one(CaseRow, row.case_id))
        if row and row.fingerprint != fingerprint:
            raise KeyReused
        return row and Accepted(row.case_id, row.job_id)

    def keep(self, key: str, fingerprint: str, accepted: Accepted) -> bool:
        """Keep the answer; False if another request with this key was first (it then has to be read again)."""
        row = {"hospital_id": self._hospital, "key": key, "fingerprint": fingerprint, **vars(accepted)}
        kept = insert(ReceiptRow).values(row).on_conflict_do_nothing().returning(ReceiptRow.key)
        return self._session.scalar(kept) is not None
