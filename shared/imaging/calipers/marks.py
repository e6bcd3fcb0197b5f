"""The marks that remain on the screen when a radiologist measures a nodule."""

from dataclasses import dataclass
from enum import StrEnum

from shared.imaging.image import Box


class MarkKind(StrEnum):
    PLUS = "plus"
    CROSS = "cross"
    LETTER = "letter"
    DOT = "dot"


END_KINDS = (MarkKind.PLUS, MarkKind.CROSS)
"""The kinds that mark the end of a diameter. The other kinds are beside or between end marks."""


@dataclass(frozen=True)
class Mark:
    """One burnt-in mark: its centre and its bounding box, in pixels."""

    kind: MarkKind
    x: float
    y: float
    box: Box

    def shifted(self, right: int, down: int) -> "Mark":
        """Return the mark moved by `right` and `down` pixels."""
        box = Box(
            x=self.box.x + right,
            y=self.box.y + down,
            width=self.box.width,
            height=self.box.height,
        )
        return Mark(kind=self.kind, x=self.x + right, y=self.y + down, box=box)

    def touches(self, box: Box) -> bool:
        """Return whether the mark's box overlaps another box."""
        own_right = self.box.x + self.box.width
        own_bottom = self.box.y + self.box.height
        overlaps_x = self.box.x < box.x + box.width and box.x < own_right
        overlaps_y = self.box.y < box.y + box.height and box.y < own_bottom
        return overlaps_x and overlaps_y


def end_marks(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Return the marks at the ends of diameters."""
    return tuple(mark for mark in marks if mark.kind in END_KINDS)
