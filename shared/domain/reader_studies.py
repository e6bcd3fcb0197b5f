"""A reader study: several people read the same cases, first alone and then with SERA's result."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID


class StudyState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


TRANSITIONS: dict[StudyState, frozenset[StudyState]] = {
    StudyState.DRAFT: frozenset({StudyState.OPEN, StudyState.CLOSED}),
    StudyState.OPEN: frozenset({StudyState.CLOSED}),
    StudyState.CLOSED: frozenset(),
}
"""A draft that is no longer needed is also closed."""


class Design(StrEnum):
    SEQUENTIAL = "sequential"
    """Each case blind, and immediately afterwards with SERA's result."""


class Phase(StrEnum):
    BLIND = "blind"
    AIDED = "aided"


class CaseSelection(StrEnum):
    """How the cases of a study are selected from those with a result and a known outcome."""

    NEWEST = "newest"
    IDS = "ids"
    BALANCED = "balanced"
    """As many malignant as benign cases, drawn at random with the seed."""


def reading_order(cases: Iterable[UUID], seed: int, reader: int) -> list[UUID]:
    """Return the cases in a random order for this reader; the same seed gives the same order."""

    def position(case: UUID) -> bytes:
        return hashlib.sha256(f"{seed}/{reader}/{case}".encode()).digest()

    return sorted(cases, key=position)
