"""Seals of the audit trail: the signed heads of its chains.

Each chain's head is signed separately, so that a hospital receives only its own seals. A seal of
all chains, in one series, holds these heads together (`shared.domain.audit.series`).
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import BigInteger, Select, and_, bindparam, select, text
from sqlalchemy.orm import Session

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Seal, chain_name, format_time
from shared.domain.audit.series import (
    Head,
    SeriesSeal,
    Witness,
    check_witnesses,
)
from shared.domain.audit.verification import Fault, Finding, make_finding
from shared.errors import SeraError
from shared.ledger.clock import database_time
from shared.ledger.tables import AnyRow, AuditRow, HeadRow, SealRow, SeriesSealRow

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('sera-seal', 0))")
CHAINS = "(SELECT id::text AS chain FROM hospitals UNION ALL SELECT 'house')"
UNSEALED_HEADS = text(
    f"""
    SELECT c.chain, e.number, e.hash, EXISTS (
        SELECT FROM audit_checkpoints s
        WHERE s.chain = c.chain AND s.number >= e.number) AS has_own_seal
    FROM {CHAINS} c
    CROSS JOIN LATERAL (
        SELECT number, hash FROM audit_events
        WHERE chain = c.chain ORDER BY number DESC LIMIT 1) e
    WHERE NOT EXISTS (
        SELECT FROM audit_heads h WHERE h.chain = c.chain AND h.number >= e.number)
    ORDER BY c.chain
    """
)
"""The heads that the series does not have. Workers of the release before seal single chains."""
LOST_HEADS = text(
    f"""
    SELECT h.chain, h.number
    FROM {CHAINS} c
    CROSS JOIN LATERAL (
        SELECT chain, number, hash FROM audit_heads
        WHERE chain = c.chain AND series <= coalesce(:series, series)
        ORDER BY series DESC LIMIT 1) h
    WHERE NOT EXISTS (
        SELECT FROM audit_events e
        WHERE e.chain = h.chain AND e.number = h.number AND e.hash = h.hash)
    LIMIT 1
    """
).bindparams(bindparam("series", type_=BigInteger()))
"""Sealed events that are not there as they were sealed, by the last seal of each chain up to one of
the series, or NULL for all."""


class SealsInterrupted(SeraError):
    code = "seals-interrupted"
    text = (
        "The audit trail is not sealed any more: {finding} See what `./sera audit verify` names. "
        "If the database was set back on purpose, `./sera audit resume` goes on from it and puts "
        "that on record."
    )


class Signer(Protocol):
    public: str

    def sign(self, text: bytes) -> str: ...


class Seals:
    """The seals of all chains, or of one hospital's chain."""

    def __init__(self, session: Session, hospital: UUID | None = None) -> None:
        self._session = session
        self._hospital = hospital

    def add(self, signer: Signer, witnesses: Sequence[Witness] = ()) -> list[Seal]:
        """Seal every chain that has new events, each by itself, and all in the series.

        `witnesses` were read before the transaction. Raises SealsInterrupted if the series does not
        go on from them, or if sealed events were removed or replaced.
        """
        self._session.execute(LOCK)
        self._check_goes_on(witnesses)
        heads = self._session.execute(UNSEALED_HEADS).all()
        now = database_time(self._session)
        seals = [
            self._seal_head(head, now, signer)
            for head in heads
            if not head.has_own_seal
        ]
        for seal in seals:
            values = {**vars(seal), "at": now}
            self._session.add(SealRow(**values))
        if heads:
            self._add_to_series(heads, now, signer)
        return seals

    def last_of_series(self) -> SeriesSeal | None:
        query = select(SeriesSealRow).order_by(SeriesSealRow.number.desc()).limit(1)
        return next(iter(self._series(query)), None)

    def find_in_series(self, number: int) -> SeriesSeal | None:
        query = select(SeriesSealRow).where(SeriesSealRow.number == number)
        return next(iter(self._series(query)), None)

    def lost_heads(self, first: int, last: int) -> list[Finding]:
        """The faults of events that these seals of the series saw, numbered `first` to `last`."""
        query = (
            select(HeadRow, SeriesSealRow.at, AuditRow.hash.label("found"))
            .join(SeriesSealRow, SeriesSealRow.number == HeadRow.series)
            .outerjoin(
                AuditRow,
                and_(
                    AuditRow.chain == HeadRow.chain, AuditRow.number == HeadRow.number
                ),
            )
            .where(
                HeadRow.series.between(first, last),
                AuditRow.hash.is_distinct_from(HeadRow.hash),
            )
            .order_by(HeadRow.series, HeadRow.chain)
        )
        return [
            make_finding(
                Fault.REWRITTEN if found else Fault.CUT,
                head.chain,
                first=head.number,
                last=head.number,
                seal=head.series,
                at=format_time(at),
            )
            for head, at, found in self._session.execute(query)
        ]

    def series_after(self, number: int, limit: int) -> list[SeriesSeal]:
        """The seals of all chains after the one of this number, in their order."""
        query = (
            select(SeriesSealRow)
            .where(SeriesSealRow.number > number)
            .order_by(SeriesSealRow.number)
            .limit(limit)
        )
        return self._series(query)

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

    def _check_goes_on(self, witnesses: Sequence[Witness]) -> None:
        """Raises SealsInterrupted."""
        for finding in check_witnesses(self.find_in_series, witnesses):
            raise SealsInterrupted(finding=finding.sentence)
        # After the last seal that was put down, anybody may have added seals of a key of their own.
        last_numbers = {None, *(witness.number for witness in witnesses)}
        for number in last_numbers:
            lost = self._session.execute(LOST_HEADS, {"series": number}).first()
            if lost:
                finding = make_finding(
                    Fault.REPLACED, lost.chain, first=lost.number, last=lost.number
                )
                raise SealsInterrupted(finding=finding.sentence)

    def _add_to_series(
        self, heads: Sequence[AnyRow], now: datetime, signer: Signer
    ) -> None:
        last = self.last_of_series()
        unsigned = SeriesSeal(
            number=last.number + 1 if last else 1,
            at=format_time(now),
            heads=tuple(
                sorted(Head(head.chain, head.number, head.hash) for head in heads)
            ),
            previous=last.computed_hash if last else NO_PREVIOUS_HASH,
            key=signer.public,
        )
        self._session.add(
            SeriesSealRow(
                number=unsigned.number,
                at=now,
                previous=unsigned.previous,
                key=unsigned.key,
                signature=signer.sign(unsigned.signed_bytes),
            )
        )
        self._session.flush()
        self._session.add_all(
            HeadRow(series=unsigned.number, **head._asdict()) for head in unsigned.heads
        )

    def _series(self, query: Select[SeriesSealRow]) -> list[SeriesSeal]:
        """The seals of the query, with their heads in the order of the chains."""
        rows = self._session.scalars(query).all()
        heads: dict[int, list[Head]] = {row.number: [] for row in rows}
        head_query = (
            select(HeadRow)
            .where(HeadRow.series.in_(list(heads)))
            .order_by(HeadRow.series, HeadRow.chain.collate("C"))
        )
        for head in self._session.scalars(head_query):
            heads[head.series].append(Head(head.chain, head.number, head.hash))
        return [
            SeriesSeal(
                number=row.number,
                at=format_time(row.at),
                heads=tuple(heads[row.number]),
                previous=row.previous,
                key=row.key,
                signature=row.signature,
            )
            for row in rows
        ]

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
