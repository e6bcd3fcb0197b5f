"""A reader study: several people read the same cases, first alone and then with SERA's answer."""

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
"""A draft that is not wanted is closed too."""


class Design(StrEnum):
    SEQUENTIAL = "sequential"
    """Each case blind, then with SERA's answer at once."""


class Phase(StrEnum):
    BLIND = "blind"
    AIDED = "aided"


class CaseSelection(StrEnum):
    """How a study's cases are chosen, of those with a result and a known outcome."""

    NEWEST = "newest"
    IDS = "ids"
    BALANCED = "balanced"
    """As many malignant as benign ones, drawn by the seed."""


def reading_order(cases: Iterable[UUID], seed: int, reader: int) -> list[UUID]:
    """The cases in this reader's own random order, the same whenever it is asked for."""
    return sorted(
        cases,
        key=lambda case: hashlib.sha256(f"{seed}/{reader}/{case}".encode()).digest(),
    )
