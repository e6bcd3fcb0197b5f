"""Checkpoints of the audit trail: the heads of its chains, each signed alone, so that a hospital gets its own only."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Seal, chain_name, format_time
from shared.ledger.clock import database_time
from shared.ledger.tables import SealRow

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('sera-seal', 0))")
MOVED = text(
    """
    SELECT c.chain, e.number, e.hash
    FROM (SELECT id::text AS chain FROM hospitals UNION ALL SELECT 'house') c
    CROSS JOIN LATERAL (
        SELECT number, hash FROM audit_events WHERE chain = c.chain ORDER BY number DESC LIMIT 1) e
    WHERE NOT EXISTS (SELECT FROM audit_checkpoints s WHERE s.chain = c.chain AND s.number >= e.number)
    ORDER BY c.chain
    """
)


class Signer(Protocol):
    public: str

    def sign(self, text: bytes) -> str: ...


class Seals:
    """Of all chains, or of one hospital's where it is given."""

    def __init__(self, session: Session, hospital: UUID | None = None) -> None:
        self._session = session
        self._hospital = hospital

    def add(self, signer: Signer) -> list[Seal]:
        """Seal every chain that has grown since its last seal."""
        self._session.execute(LOCK)
        heads = self._session.execute(MOVED).all()
        now = database_time(self._session)
        made = [self._made(head, now, signer) for head in heads]
        self._session.add_all(SealRow(**vars(seal) | {"at": now}) for seal in made)
        return made

    def all(self) -> list[Seal]:
        """Each chain's in their order."""
        query = select(SealRow).order_by(SealRow.chain, SealRow.seal)
        if self._hospital:
            query = query.where(SealRow.chain == chain_name(self._hospital))
        return [_seal(row) for row in self._session.scalars(query)]

    def seals_after(self, chain: str, seal: int, most: int) -> list[Seal]:
        """A chain's seals that follow the one of this number, in their order."""
        query = (
            select(SealRow)
            .where(SealRow.chain == chain, SealRow.seal > seal)
            .order_by(SealRow.seal)
            .limit(most)
        )
        return [_seal(row) for row in self._session.scalars(query)]

    def find(self, chain: str, seal: int) -> Seal | None:
        row = self._session.scalar(
            select(SealRow).where(SealRow.chain == chain, SealRow.seal == seal)
        )
        return _seal(row) if row else None

    def _made(self, head: Any, now: datetime, signer: Signer) -> Seal:
        last = self._session.scalar(
            select(SealRow)
            .where(SealRow.chain == head.chain)
            .order_by(SealRow.seal.desc())
            .limit(1)
        )
        place, previous = (last.seal + 1, _seal(last).computed_hash) if last else (1, NO_PREVIOUS_HASH)
        bare = Seal(
            head.chain,
            place,
            head.number,
            head.hash,
            format_time(now),
            previous,
            signer.public,
        )
        return replace(bare, signature=signer.sign(bare.signed_bytes))


def _seal(row: SealRow) -> Seal:
    names = Seal.__dataclass_fields__
    return Seal(**{name: getattr(row, name) for name in names} | {"at": format_time(row.at)})
