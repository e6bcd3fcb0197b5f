"""Reads the whole audit trail, or a hospital's, in many short transactions.

No transaction stays open while a slow client receives the export. Events are never changed or
removed, so a later page is consistent with the earlier pages.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from uuid import UUID

from shared.domain.audit.chain import Link, Seal, chain_name
from shared.domain.audit.export import export_lines
from shared.domain.audit.series import SeriesSeal
from shared.ledger.audit.repository import LinkPosition
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.ledger import Ledger
from shared.ledger.system_session import SystemSession

PAGE_EVENTS = 1000


class AuditTrailReader:
    """The audit trail of one hospital, or of all, as one actor may read it."""

    def __init__(
        self, ledger: Ledger, actor: str, hospital: UUID | None = None
    ) -> None:
        self._ledger = ledger
        self._actor = actor
        self._hospital = hospital

    def seals(self) -> list[Seal]:
        with self.open() as session:
            return session.seals.all()

    def series(self) -> list[SeriesSeal]:
        """The seals of all chains; none for a hospital, which has its own chain's seals."""
        if self._hospital:
            return []
        series: list[SeriesSeal] = []
        with self._ledger.system_session(self._actor) as session:
            last_number = 0
            while page := session.seals.series_after(last_number, PAGE_EVENTS):
                series += page
                last_number = page[-1].number
        return series

    def links(self) -> Iterator[Link]:
        """Yield the events chain after chain, each from its beginning."""
        position: LinkPosition | None = None
        while True:
            with self.open() as session:
                page = session.audit.links(position, PAGE_EVENTS)
            yield from (link for _, link in page)
            if len(page) < PAGE_EVENTS:
                return
            position, _ = page[-1]

    def export_lines(self) -> Iterator[str]:
        """Yield the lines of an export.

        Seals are read before events (`shared.domain.audit.export`).
        """
        seals = self.seals()
        series = self.series()
        chain = chain_name(self._hospital) if self._hospital else None
        yield from export_lines(chain, self.links(), seals, series)

    def open(self) -> AbstractContextManager[HospitalSession | SystemSession]:
        """A session that sees the rows of this hospital, or of all."""
        if self._hospital:
            return self._ledger.hospital_session(self._hospital, self._actor)
        return self._ledger.system_session(self._actor)
