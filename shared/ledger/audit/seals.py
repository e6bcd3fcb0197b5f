"""Seals of the audit trail: the signed heads of its chains.

Each chain's head is signed separately, so that a hospital receives only its own seals.
"""

from dataclasses import fields, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Seal, chain_name, format_time
from shared.ledger.clock import database_time
from shared.ledger.tables import AnyRow, SealRow

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('sera-seal', 0))")
UNSEALED_HEADS = text(
    """
    SELECT c.chain, e.number, e.hash
    FROM (SELECT id::text AS chain FROM hospitals UNION ALL SELECT 'house') c
    CROSS JOIN LATERAL (
        SELECT number, hash FROM audit_events
        WHERE chain = c.chain ORDER BY number DESC LIMIT 1) e
    WHERE NOT EXISTS (
        SELECT FROM audit_checkpoints s WHERE s.chain = c.chain AND s.number >= e.number)
    ORDER BY c.chain
    """
)


class Signer(Protocol):
    public: str

    def sign(self, text: bytes) -> str: ...


class Seals:
    """The seals of all chains, or of one hospital's chain."""

    def __init__(self, session: Session, hospital: UUID | None = None) -> None:
        self._session = session
        self._hospital = hospital

    def add(self, signer: Signer) -> list[Seal]:
        """Seal every chain that has new events since its latest seal."""
        self._session.execute(LOCK)
        heads = self._session.execute(UNSEALED_HEADS).all()
        now = database_time(self._session)
        seals = [self._seal_head(head, now, signer) for head in heads]
        for seal in seals:
            values = {**vars(seal), "at": now}
            self._session.add(SealRow(**values))
        return seals

    def all(self) -> list[Seal]:
        """Return the seals by chain, each chain's in their order."""
        query = select(SealRow).order_by(SealRow.chain, SealRow.seal)
        if self._hospital:
            query = query.where(SealRow.chain == chain_name(self._hospital))
        return [_seal(row) for row in self._session.scalars(query)]

    def seals_after(self, chain: str, seal: int, limit: int) -> list[Seal]:
        """A chain's seals after the seal of this number, in their order."""
        query = (
            select(SealRow)
            .where(SealRow.chain == chain, SealRow.seal > seal)
            .order_by(SealRow.seal)
            .limit(limit)
        )
        return [_seal(row) for row in self._session.scalars(query)]

    def find(self, chain: str, seal: int) -> Seal | None:
        query = select(SealRow).where(SealRow.chain == chain, SealRow.seal == seal)
        row = self._session.scalar(query)
        return _seal(row) if row else None

    def _seal_head(self, head: AnyRow, now: datetime, signer: Signer) -> Seal:
        query = (
            select(SealRow)
            .where(SealRow.chain == head.chain)
            .order_by(SealRow.seal.desc())
            .limit(1)
        )
        last_row = self._session.scalar(query)
        seal_number = 1
        previous = NO_PREVIOUS_HASH
        if last_row:
            seal_number = last_row.seal + 1
            previous = _seal(last_row).computed_hash
        unsigned = Seal(
            chain=head.chain,
            seal=seal_number,
            number=head.number,
            hash=head.hash,
            at=format_time(now),
            previous=previous,
            key=signer.public,
        )
        return replace(unsigned, signature=signer.sign(unsigned.signed_bytes))


def _seal(row: SealRow) -> Seal:
    values = {field.name: getattr(row, field.name) for field in fields(Seal)}
    values["at"] = format_time(row.at)
    return Seal(**values)
