"""Records in the audit trail who has read which results. A read is recorded once for each caller
and result, even if the caller polls the result many times.
"""

import threading
from collections.abc import Iterable
from uuid import UUID

from cachetools import FIFOCache

from shared.domain.audit.events import Event
from shared.ledger import HospitalSession
from shared.ledger.hospitals.repository import Caller

MAX_REMEMBERED = 100_000
Subject = tuple[UUID, UUID | None]
"""A case and, if a result was read, its job."""


class ReadAudit:
    """Records reads in the audit trail. Recorded reads are remembered, so that a poll of a finished
    job causes no query.
    """

    def __init__(self, max_remembered: int = MAX_REMEMBERED) -> None:
        self._lock = threading.Lock()
        self._recorded: FIFOCache[tuple[str, Event, Subject], None] = FIFOCache(
            max_remembered
        )

    def record_reads(
        self,
        session: HospitalSession,
        caller: Caller,
        event: Event,
        subjects: Iterable[Subject],
    ) -> None:
        """Record the first read of each subject in the current transaction, and remember it after
        the commit.

        If a reader of a study sees a case that this reader must still read blind, the study records
        that as a breach.
        """
        subjects = list(subjects)
        if not subjects:
            return
        session.readings.record_breaches(
            caller.person, event, [case for case, _ in subjects]
        )
        with self._lock:
            first_reads = [
                subject
                for subject in subjects
                if (caller.actor, event, subject) not in self._recorded
            ]
        if first_reads:
            session.audit.record_reads(event, first_reads)
            session.transaction.on_commit(
                lambda: self._remember(caller, event, first_reads)
            )

    def _remember(
        self, caller: Caller, event: Event, subjects: Iterable[Subject]
    ) -> None:
        with self._lock:
            self._recorded.update(
                ((caller.actor, event, subject), None) for subject in subjects
            )
