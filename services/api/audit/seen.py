"""Who has read what: on record once for each key and subject, however often it is polled."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from shared.domain.events import Event
from shared.ledger import HospitalSession
from shared.ledger.hospitals import Caller
from shared.ledger.once import after_commit

REMEMBERED = 100_000
Subject = tuple[UUID, UUID | None]
"""A case and, where it is about one, its job."""


class Seen:
    """Remembers what is on record, so that a poll of a finished job costs no question to the database."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[tuple[str, Event, Subject], None] = OrderedDict()

    def note(
        self, session: HospitalSession, who: Caller, event: Event, subjects: Iterable[Subject]
    ) -> list[Subject]:
        """Record first reads in the transaction that reads; returns what `remember` is told after its commit.

        Whoever has to read one of these cases blind in a reader study is told of there, each time.
        """
        subjects = list(subjects)
        session.readings.note_looks(who.person, event, [case for case, _ in subjects])
        with self._lock:
            fresh = [each for each in subjects if (who.actor, event, each) not in self._known]
        if fresh:
            session.audit.record_reads(event, fresh)
        return fresh

    def remember(self, who: Caller, event: Event, subjects: Iterable[Subject]) -> None:
        after_commit(lambda: self._remember(who, event, subjects))

    def _remember(self, who: Caller, event: Event, subjects: Iterable[Subject]) -> None:
        with self._lock:
            self._known.update(((who.actor, event, each), None) for each in subjects)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
