"""Who has read what: on record once for each key and subject, however often it is polled."""

import threading
from collections.abc import Iterable
from uuid import UUID

from cachetools import FIFOCache

from shared.domain.audit.events import Event
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller

REMEMBERED = 100_000
Subject = tuple[UUID, UUID | None]
"""A case and, where it is about one, its job."""


class ReadAudit:
    """Remembers what is on record, so that a poll of a finished job costs no question to the database."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._lock = threading.Lock()
        self._recorded: FIFOCache[tuple[str, Event, Subject], None] = FIFOCache(most)

    def record_reads(
        self,
        session: HospitalSession,
        caller: Caller,
        event: Event,
        subjects: Iterable[Subject],
    ) -> None:
        """Record first reads in the transaction that reads, and remember them once it is committed.

        Whoever has to read one of these cases blind in a reader study is named there, each time.
        """
        subjects = list(subjects)
        if not subjects:
            return
        session.readings.record_breaches(
            caller.person, event, [case for case, _ in subjects]
        )
        with self._lock:
            fresh = [
                subject
                for subject in subjects
                if (caller.actor, event, subject) not in self._recorded
            ]
        if fresh:
            session.audit.record_reads(event, fresh)
            session.transaction.on_commit(lambda: self._remember(caller, event, fresh))

    def _remember(
        self, caller: Caller, event: Event, subjects: Iterable[Subject]
    ) -> None:
        with self._lock:
            self._recorded.update(
                ((caller.actor, event, subject), None) for subject in subjects
            )
