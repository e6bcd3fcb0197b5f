"""Draws burnt-in caliper marks at the ends of the nodule's two diameters."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.nodule import Outline

WHITE = 255


def burn_in(
    pixels: NDArray[np.uint8], outline: Outline, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a copy of `pixels` (S, S) with four marks, `+` or `x`, and sometimes a dotted line."""
    annotated = pixels.copy()
    side = len(pixels)
    x, y = outline.centre
    semi_width, semi_depth = outline.semi_axes
    marker = cv2.MARKER_CROSS if rng.random() < 0.6 else cv2.MARKER_TILTED_CROSS
    offsets = ((-semi_width, 0), (semi_width, 0), (0, -semi_depth), (0, semi_depth))
    for dx, dy in offsets:
        end = round((x + dx) * side), round((y + dy) * side)
        cv2.drawMarker(
            annotated,
            end,
            WHITE,
            markerType=marker,
            markerSize=max(side // 28, 5),
            thickness=1,
        )
    if rng.random() < 0.4:
        steps = np.linspace(-1, 1, 25)
        columns = np.rint((x + steps * semi_width) * side)
        row = round(y * side)
        annotated[row, np.clip(columns, 0, side - 1).astype(int)] = WHITE
    return annotated
