"""Erases due cases and expired previews, and removes the objects that erasures left behind.

Beat notifies periodically, the gateway after an erasure.
"""

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
MAX_PREVIEWS = 1000
"""Maximum number of cases, objects and previews that one query returns. Each case or object is then
erased in its own transaction, previews in one.
"""
SWEEP_S = 2.0
"""Maximum duration of one sweep. Submitted cases wait for the same process, so the remaining work
is left to the next notification. Half of the time is for erasing, so that many due cases do not
delay the removal of other cases' images.
"""


class RetentionSweeper:
    """Erases due cases and removes objects. It may be stopped at any moment and may run in several
    processes at once.

    The ledger contains the remaining work.
    """

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
        """Erase due cases and expired previews, then clear up after erasures.

        Work that fails because an engine is unavailable is done at the next notification.
        """
        began = time.monotonic()
        try:
            self._erase_due(began + self._sweep_s / 2)
            self._erase_previews()
            self._clear_drafts()
            self._remove_objects(began + self._sweep_s)
        except Unavailable as error:
            log().warning("retention.waits", problem=str(error))

    def _erase_due(self, deadline: float) -> None:
        while time.monotonic() < deadline and self._erase_some(deadline):
            pass

    def _erase_some(self, deadline: float) -> int:
        with self._ledger.system_session(ACTOR) as session:
            due_cases = session.retention.oldest_due(self._default_days, MAX_CASES)
        due_in_time = takewhile(lambda _: time.monotonic() < deadline, due_cases)
        erased = sum(self._erase(case_id) for case_id in due_in_time)
        if erased:
            log().info("retention.erased", cases=erased)
        return erased

    def _erase(self, case_id: UUID) -> bool:
        with self._ledger.system_session(ACTOR) as session:
            return session.retention.erase(case_id, self._default_days)

    def _erase_previews(self) -> None:
        with self._ledger.system_session(ACTOR) as session:
            erased = session.expired_previews.erase(MAX_PREVIEWS)
        if erased:
            log().info("retention.previews-erased", previews=erased)

    def _clear_drafts(self) -> None:
        """Remove erased cases from drafts, each under its dataset's lock."""
        with self._ledger.system_session(ACTOR) as session:
            datasets = session.consents.datasets_with_erased_cases()
        for dataset in datasets:
            with self._ledger.system_session(ACTOR) as session:
                session.consents.remove_erased(dataset)

    def _remove_objects(self, deadline: float) -> None:
        with self._ledger.system_session(ACTOR) as session:
            orphans = session.orphaned_objects.waiting(MAX_OBJECTS)
        for sha256 in orphans:
            if time.monotonic() > deadline:
                return
            self._remove_object(sha256)

    def _remove_object(self, sha256: str) -> None:
        """Remove an object before the commit. If the commit fails, the next sweep finds no object,
        which does no harm.
        """
        with self._ledger.system_session(ACTOR) as session:
            if session.orphaned_objects.claim(sha256):
                self._objects.delete(sha256)
                session.orphaned_objects.mark_removed(sha256)
