"""The whole audit trail, or a hospital's, in many short transactions: however slow the reader, none is held open.

Events are only ever added, so what is read later belongs to what was read before.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from uuid import UUID

from shared.domain.audit.chain import Link, Seal, chain_name
from shared.domain.audit.export import export_lines
from shared.ledger.hospital_session import HospitalSession
from shared.ledger.ledger import Ledger
from shared.ledger.system_session import SystemSession

PAGE_EVENTS = 1000


class AuditTrailReader:
    """The trail as one actor reads it: one hospital's, or all."""

    def __init__(
        self, ledger: Ledger, actor: str, hospital: UUID | None = None
    ) -> None:
        self._ledger = ledger
        self._actor = actor
        self._hospital = hospital

    def seals(self) -> list[Seal]:
        with self._open() as session:
            return session.seals.all()

    def links(self) -> Iterator[Link]:
        """Chain after chain, each from its beginning."""
        after: tuple[str, int] | None = None
        while True:
            with self._open() as session:
                page = session.audit.links(after, PAGE_EVENTS)
            yield from (link for _, link in page)
            if len(page) < PAGE_EVENTS:
                return
            after = page[-1][0]

    def export_lines(self) -> Iterator[str]:
        """The lines of an export."""
        seals = self.seals()
        of = chain_name(self._hospital) if self._hospital else None
        yield from export_lines(of, self.links(), seals)

    def _open(self) -> AbstractContextManager[HospitalSession | SystemSession]:
        if self._hospital:
            return self._ledger.hospital_session(self._hospital, self._actor)
        return self._ledger.system_session(self._actor)
