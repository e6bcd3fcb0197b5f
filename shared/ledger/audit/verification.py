"""Proves the audit trail in pieces of bounded length: each says where the next goes on, so that none takes long."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from uuid import UUID

from shared.domain.audit.chain import Link, Seal, chain_name
from shared.domain.audit.verification import Stretch, verify_stretch
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.ledger import Ledger
from shared.ledger.system_session import SystemSession

PAGE_EVENTS = 1000
PAGE_SEALS = 1000


class ChainPosition(NamedTuple):
    """Behind this event and this seal of a chain; 0 and 0: at its beginning."""

    chain: str
    number: int = 0
    seal: int = 0


class AuditVerifier:
    """Chain after chain, as one actor may read them: one hospital's, or all."""

    def __init__(
        self,
        ledger: Ledger,
        actor: str,
        hospital: UUID | None = None,
        *,
        signed: Callable[[Seal], bool],
        trusted: Sequence[str] = (),
    ) -> None:
        self._ledger = ledger
        self._actor = actor
        self._hospital = hospital
        self._signed = signed
        self._trusted = trusted

    def stretches(
        self, place: ChainPosition | None = None
    ) -> Iterator[tuple[Stretch, ChainPosition | None]]:
        """From this place to the end of the last chain; with each stretch the place that follows it."""
        while place := place or self._first():
            with self._open() as session:
                stretch = self._stretch(session, place)
                place = self._next(session, stretch)
            yield stretch, place
            if place is None:
                return

    def allows(self, place: ChainPosition) -> bool:
        """Whether the chain is one that this actor may read."""
        return self._hospital is None or place.chain == chain_name(self._hospital)

    def _stretch(
        self, session: HospitalSession | SystemSession, place: ChainPosition
    ) -> Stretch:
        """Seals are read before events: one made meanwhile is of an event that is read."""
        seals = session.seals.seals_after(place.chain, place.seal, PAGE_SEALS)
        links = session.audit.stretch(place.chain, place.number, PAGE_EVENTS)
        ended = len(links) < PAGE_EVENTS and len(seals) < PAGE_SEALS
        if len(seals) == PAGE_SEALS:
            links = [link for link in links if link.number <= seals[-1].number]
        if links and not ended:
            seals = _up_to(links[-1].number, seals)
        last_seal = session.seals.find(place.chain, place.seal) if place.seal else None
        return verify_stretch(
            self._before(session, place),
            links,
            seals,
            self._signed,
            self._trusted,
            chain=place.chain,
            last_seal=last_seal,
            is_last=ended,
        )

    def _before(
        self, session: HospitalSession | SystemSession, place: ChainPosition
    ) -> Link | None:
        found = (
            session.audit.stretch(place.chain, place.number - 1, 1)
            if place.number
            else []
        )
        return found[0] if found and found[0].number == place.number else None

    def _next(
        self, session: HospitalSession | SystemSession, stretch: Stretch
    ) -> ChainPosition | None:
        if not stretch.is_last:
            return ChainPosition(stretch.chain, stretch.number, stretch.seal)
        chain = session.audit.next_chain(stretch.chain)
        return ChainPosition(chain) if chain else None

    def _first(self) -> ChainPosition | None:
        with self._open() as session:
            chain = session.audit.next_chain()
        return ChainPosition(chain) if chain else None

    def _open(self) -> AbstractContextManager[HospitalSession | SystemSession]:
        if self._hospital:
            return self._ledger.hospital_session(self._hospital, self._actor)
        return self._ledger.system_session(self._actor)


def _up_to(number: int, seals: Sequence[Seal]) -> list[Seal]:
    """Those of events that were read, until one is of an event that was not."""
    for place, seal in enumerate(seals):
        if seal.number > number:
            return list(seals[:place])
    return list(seals)
