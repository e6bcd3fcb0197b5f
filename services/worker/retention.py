"""Erases what is due and removes what erasures let go of, when beat or the gateway rings for it."""

import time
from itertools import takewhile
from uuid import UUID

from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.objects import ObjectStore
from shared.observability.logs import log

ACTOR = "retention"
MAX_CASES = 100
MAX_OBJECTS = 500
"""Looked up at once; each is erased, or removed, in a transaction of its own."""
SWEEP_S = 2.0
"""Cases to be read wait for the same process, so the rest is left to the next ring. Half of it is for erasing, so that
many cases that are due do not keep the images of others from being removed."""


class RetentionSweeper:
    """May be stopped at any moment and run in several processes at once: the ledger says what is still to be done."""

    def __init__(
        self,
        ledger: Ledger,
        objects: ObjectStore,
        default_days: int | None,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        self._default_days = default_days
        self._sweep_s = sweep_s

    def sweep(self) -> None:
        """Erase what is due, then clear up behind erasures; what an absent engine prevents, the next ring does."""
        began = time.monotonic()
        try:
            self._erase_due(began + self._sweep_s / 2)
            self._forget()
            self._remove(began + self._sweep_s)
        except Unavailable as away:
            log().warning("retention.waits", problem=str(away))

    def _erase_due(self, until: float) -> None:
        while time.monotonic() < until and self._erase_some(until):
            pass

    def _erase_some(self, until: float) -> int:
        with self._ledger.system_session(ACTOR) as session:
            due = session.retention.oldest_due(self._default_days, MAX_CASES)
        in_time = takewhile(lambda _: time.monotonic() < until, due)
        erased = sum(self._erase(case_id) for case_id in in_time)
        if erased:
            log().info("retention.erased", cases=erased)
        return erased

    def _erase(self, case_id: UUID) -> bool:
        with self._ledger.system_session(ACTOR) as session:
            return session.retention.erase(case_id, self._default_days)

    def _forget(self) -> None:
        """Take erased cases out of drafts, each under its dataset's lock."""
        with self._ledger.system_session(ACTOR) as session:
            datasets = session.consents.datasets_with_erased_cases()
        for dataset in datasets:
            with self._ledger.system_session(ACTOR) as session:
                session.consents.remove_erased(dataset)

    def _remove(self, until: float) -> None:
        with self._ledger.system_session(ACTOR) as session:
            waiting = session.orphaned_objects.waiting(MAX_OBJECTS)
        for sha256 in waiting:
            if time.monotonic() > until:
                return
            self._remove_one(sha256)

    def _remove_one(self, sha256: str) -> None:
        """The object goes before the commit: if that fails, it is looked for in vain the next time."""
        with self._ledger.system_session(ACTOR) as session:
            if session.orphaned_objects.claim(sha256):
                self._objects.delete(sha256)
                session.orphaned_objects.mark_removed(sha256)
