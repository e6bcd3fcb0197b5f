"""Verifies the audit trail in stretches of bounded length, so that no step takes long.

Each stretch is returned with the position at which the next stretch begins.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from shared.domain.audit.chain import SYSTEM_CHAIN, Link, Seal, chain_name
from shared.domain.audit.series import (
    SERIES_CHAIN,
    SeriesSeal,
    Witness,
    check_series,
    check_witnesses,
)
from shared.domain.audit.verification import Stretch, verify_stretch
from shared.ledger.audit.evidence import result_findings, results_without_event
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.ledger import Ledger
from shared.ledger.system_session import SystemSession

PAGE_EVENTS = 1000
PAGE_SEALS = 1000
PAGE_SERIES = 200


class ChainPosition(NamedTuple):
    """A position after this event and this seal of a chain; 0 and 0 mean its beginning."""

    chain: str
    number: int = 0
    seal: int = 0


class AuditVerifier:
    """Verifies the chains that one actor may read: one hospital's, or all."""

    def __init__(
        self,
        ledger: Ledger,
        actor: str,
        hospital: UUID | None = None,
        *,
        has_valid_signature: Callable[[Seal | SeriesSeal], bool],
        trusted_keys: Sequence[str] = (),
        witnesses: Sequence[Witness] = (),
    ) -> None:
        self._ledger = ledger
        self._actor = actor
        self._hospital = hospital
        self._has_valid_signature = has_valid_signature
        self._trusted_keys = trusted_keys
        self._witnesses = witnesses

    def stretches(
        self, position: ChainPosition | None = None
    ) -> Iterator[tuple[Stretch, ChainPosition | None]]:
        """Verify from this position to the end of the last chain; None: from the beginning.

        Yields each stretch with the position that follows it, which is None after the last one.
        """
        position = position or self._first_position()
        while position:
            with self._open() as session:
                stretch = self._verify_stretch(session, position)
                position = self._next_position(session, stretch)
            yield stretch, position

    def allows(self, position: ChainPosition) -> bool:
        """Whether this actor may read the chain."""
        return self._hospital is None or position.chain == chain_name(self._hospital)

    def _verify_stretch(
        self, session: HospitalSession | SystemSession, position: ChainPosition
    ) -> Stretch:
        """Seals are read before events, so that the event of each new seal is read, too."""
        if position.chain == SERIES_CHAIN:
            return self._verify_series(session, position.number)
        seals = session.seals.seals_after(position.chain, position.seal, PAGE_SEALS)
        links = session.audit.stretch(position.chain, position.number, PAGE_EVENTS)
        is_last = len(links) < PAGE_EVENTS and len(seals) < PAGE_SEALS
        if len(seals) == PAGE_SEALS:
            links = [link for link in links if link.number <= seals[-1].number]
        if links and not is_last:
            seals = _seals_up_to(links[-1].number, seals)
        last_seal = None
        if position.seal:
            last_seal = session.seals.find(position.chain, position.seal)
        stretch = verify_stretch(
            self._previous_link(session, position),
            links,
            seals,
            has_valid_signature=self._has_valid_signature,
            trusted_keys=self._trusted_keys,
            chain=position.chain,
            last_seal=last_seal,
            is_last=is_last,
        )
        faults = result_findings(session.sql, links)
        if is_last and position.chain != SYSTEM_CHAIN:
            faults += results_without_event(session.sql, UUID(position.chain))
        return replace(stretch, findings=(*stretch.findings, *faults))

    def _verify_series(
        self, session: HospitalSession | SystemSession, last_number: int
    ) -> Stretch:
        """Verify the seals of all chains after this number; at their end, the witnesses."""
        last = session.seals.find_in_series(last_number)
        series = session.seals.series_after(last_number, PAGE_SERIES)
        findings = [
            *check_series(
                series, self._has_valid_signature, self._trusted_keys, last=last
            )
        ]
        if series:
            findings += session.seals.lost_heads(series[0].number, series[-1].number)
        is_last = len(series) < PAGE_SERIES
        if is_last:
            findings += check_witnesses(session.seals.find_in_series, self._witnesses)
        return Stretch(
            chain=SERIES_CHAIN,
            findings=tuple(findings),
            event_count=0,
            last_number=series[-1].number if series else last_number,
            last_seal=0,
            sealed_at=series[-1].at if series else None,
            sealed_number=0,
            keys=frozenset(seal.key for seal in series),
            is_last=is_last,
        )

    def _previous_link(
        self, session: HospitalSession | SystemSession, position: ChainPosition
    ) -> Link | None:
        """The event at the position; None if it is missing."""
        if not position.number:
            return None
        links = session.audit.stretch(
            position.chain, last_number=position.number - 1, limit=1
        )
        if links and links[0].number == position.number:
            return links[0]
        return None

    def _next_position(
        self, session: HospitalSession | SystemSession, stretch: Stretch
    ) -> ChainPosition | None:
        if not stretch.is_last:
            return ChainPosition(
                chain=stretch.chain, number=stretch.last_number, seal=stretch.last_seal
            )
        if stretch.chain == SERIES_CHAIN:
            return None
        return self._chain_after(session, stretch.chain)

    def _first_position(self) -> ChainPosition | None:
        with self._open() as session:
            return self._chain_after(session, "")

    def _chain_after(
        self, session: HospitalSession | SystemSession, last_chain: str
    ) -> ChainPosition | None:
        """The next chain; after the last one, for who may read all, the series of seals."""
        chain = session.audit.next_chain(last_chain)
        if chain:
            return ChainPosition(chain)
        if self._hospital is None and (
            self._witnesses or session.seals.last_of_series()
        ):
            return ChainPosition(SERIES_CHAIN)
        return None

    def _open(self) -> AbstractContextManager[HospitalSession | SystemSession]:
        if self._hospital:
            return self._ledger.hospital_session(self._hospital, self._actor)
        return self._ledger.system_session(self._actor)


def _seals_up_to(number: int, seals: Sequence[Seal]) -> list[Seal]:
    """The first seals, up to the last one before a seal of a later event."""
    for index, seal in enumerate(seals):
        if seal.number > number:
            return list(seals[:index])
    return list(seals)
