"""Burnt-in caliper marks at the ends of the nodule's two diameters."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.nodule import Outline

WHITE = 255


def burn_in(
    pixels: NDArray[np.uint8], at: Outline, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A copy with four marks, `+` or `x`, joined by a dotted line at times."""
    marked = pixels.copy()
    side = len(pixels)
    (x, y), (across, deep) = at.centre, at.semi_axes
    shape = cv2.MARKER_CROSS if rng.random() < 0.6 else cv2.MARKER_TILTED_CROSS
    for dx, dy in ((-across, 0), (across, 0), (0, -deep), (0, deep)):
        end = round((x + dx) * side), round((y + dy) * side)
        cv2.drawMarker(marked, end, WHITE, shape, max(side // 28, 5), 1)
    if rng.random() < 0.4:
        steps = np.linspace(-1, 1, 25)
        marked[
            round(y * side),
            np.clip(np.rint((x + steps * across) * side), 0, side - 1).astype(int),
        ] = WHITE
    return marked
