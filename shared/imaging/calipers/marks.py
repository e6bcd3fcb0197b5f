"""The marks a reader leaves on the screen when a nodule is measured."""

from dataclasses import dataclass
from enum import StrEnum

from shared.imaging.image import Box


class MarkKind(StrEnum):
    PLUS = "plus"
    CROSS = "cross"
    LETTER = "letter"
    DOT = "dot"


END_KINDS = (MarkKind.PLUS, MarkKind.CROSS)
"""The kinds that stand at the end of a diameter; the others keep them company."""


@dataclass(frozen=True)
class Mark:
    """One burnt-in mark: its centre and the box of its strokes, in pixels."""

    kind: MarkKind
    x: float
    y: float
    box: Box

    def shifted(self, right: int, down: int) -> "Mark":
        """The mark as seen from an origin that lies so much farther left and up."""
        box = Box(
            self.box.x + right, self.box.y + down, self.box.width, self.box.height
        )
        return Mark(self.kind, self.x + right, self.y + down, box)

    def touches(self, frame: Box) -> bool:
        """Whether any of the mark's box lies in the frame."""
        across = (
            self.box.x < frame.x + frame.width and frame.x < self.box.x + self.box.width
        )
        return (
            across
            and self.box.y < frame.y + frame.height
            and frame.y < self.box.y + self.box.height
        )


def end_marks(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """The marks that end a diameter."""
    return tuple(mark for mark in marks if mark.kind in END_KINDS)
