"""The marks a reader leaves on the screen when a nodule is measured."""

from dataclasses import dataclass
from enum import StrEnum

from shared.imaging.image import Box


class MarkKind(StrEnum):
    PLUS = "plus"
    CROSS = "cross"
    LETTER = "letter"
    DOT = "dot"


ENDS = (MarkKind.PLUS, MarkKind.CROSS)
"""The kinds that stand at the end of a diameter; the others keep them company."""


@dataclass(frozen=True)
class Mark:
    """One burnt-in mark: its centre and the box of its strokes, in pixels."""

    kind: MarkKind
    x: float
    y: float
    box: Box


def ends(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """The marks that end a diameter."""
    return tuple(mark for mark in marks if mark.kind in ENDS)
