import cv2
import numpy as np
import pytest

from shared.phantoms import draw

GREY = 210


class Screen:
    """Speckle with marks drawn on it as a scanner draws them."""

    def __init__(self, width: int = 300, height: int = 300, seed: int = 2) -> None:
        plain = draw(seed, size_px=max(width, height)).pixels[:height, :width]
        self.plain = np.minimum(plain, 170)
        self.pixels = self.plain.copy()

    def end(self, x: int, y: int, kind: str = "+", half: int = 7, grey: int = GREY) -> "Screen":
        shape = cv2.MARKER_CROSS if kind == "+" else cv2.MARKER_TILTED_CROSS
        cv2.drawMarker(self.pixels, (x, y), grey, shape, 2 * half, 1)
        return self

    def open_plus(self, x: int, y: int, half: int = 8) -> "Screen":
        """A plus whose arms leave the centre free, with a dot there."""
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near, far = (x + 3 * dx, y + 3 * dy), (x + half * dx, y + half * dy)
            cv2.line(self.pixels, near, far, GREY, 1)
        self.pixels[y, x] = GREY
        return self

    def letter(self, x: int, y: int, glyph: str = "A") -> "Screen":
        cv2.putText(self.pixels, glyph, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, GREY, 1, cv2.LINE_AA)
        return self

    def dotted(self, start: tuple[int, int], end: tuple[int, int], count: int) -> "Screen":
        for x, y in np.rint(np.linspace(start, end, count)).astype(int)[1:-1]:
            self.pixels[y, x] = GREY
        return self


@pytest.fixture
def screen() -> Screen:
    return Screen()
