"""Paints tissue over burnt-in marks."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.marks import Mark, MarkKind

Grey = NDArray[np.uint8]

MARGIN_PX = 2
"""Margin around a stroke. Resizing and JPEG spread the stroke and leave a dark rim."""
LENGTH_TO_STROKE = 14
"""Ratio of a mark's length to the width of its strokes."""
INPAINT_RADIUS_PX = 3.0
"""Neighbourhood from which the painted tissue is taken."""
STROKE_SHARE = 0.3
"""A letter's strokes are the thin pixels above this share of its brightest thin pixel."""
SURROUND_PX = 8


def remove_marks(pixels: Grey, marks: Iterable[Mark]) -> Grey:
    """Return a copy with the pixels of the marks painted over (Telea, J Graph Tools 9:23, 2004).

    Parameters
    ----------
    pixels : (height, width) uint8
    marks : in pixels of the image; parts outside the image are ignored

    Returns
    -------
    (height, width) uint8; no pixel changes that is more than `MARGIN_PX` outside the box of a mark.
    """
    mask = np.zeros(pixels.shape, np.uint8)
    for mark in marks:
        _add_mark(mask, pixels, mark)
    cleaned = pixels.copy()
    if mask.any():
        x, y, width, height = cv2.boundingRect(mask)
        rows = slice(max(y - SURROUND_PX, 0), y + height + SURROUND_PX)
        columns = slice(max(x - SURROUND_PX, 0), x + width + SURROUND_PX)
        cleaned[rows, columns] = cv2.inpaint(
            pixels[rows, columns],
            mask[rows, columns],
            inpaintRadius=INPAINT_RADIUS_PX,
            flags=cv2.INPAINT_TELEA,
        )
    return cleaned


def _add_mark(mask: Grey, pixels: Grey, mark: Mark) -> None:
    """Set the mark's pixels in `mask`."""
    box = mark.box
    top = box.y - MARGIN_PX
    left = box.x - MARGIN_PX
    bottom = box.y + box.height + MARGIN_PX
    right = box.x + box.width + MARGIN_PX
    area = mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not area.size:
        return
    side = 2 * MARGIN_PX + 1
    kernel = np.ones((side, side), np.uint8)
    strokes = np.asarray(cv2.dilate(_strokes(pixels, mark), kernel), np.uint8)
    visible = strokes[max(-top, 0) :, max(-left, 0) :]
    area |= visible[: area.shape[0], : area.shape[1]]


def _strokes(pixels: Grey, mark: Mark) -> Grey:
    """Return the strokes in the mark's box with a margin of `MARGIN_PX`; 1 on a stroke."""
    box = mark.box
    margin = MARGIN_PX
    strokes = np.zeros((box.height + 2 * margin, box.width + 2 * margin), np.uint8)
    right = box.width - 1 + margin
    bottom = box.height - 1 + margin
    middle_x = (box.width - 1) // 2 + margin
    middle_y = (box.height - 1) // 2 + margin
    thickness = max(round(max(box.width, box.height) / LENGTH_TO_STROKE), 1)
    if mark.kind is MarkKind.PLUS:
        cv2.line(strokes, (margin, middle_y), (right, middle_y), 1, thickness)
        cv2.line(strokes, (middle_x, margin), (middle_x, bottom), 1, thickness)
    elif mark.kind is MarkKind.CROSS:
        cv2.line(strokes, (margin, margin), (right, bottom), 1, thickness)
        cv2.line(strokes, (margin, bottom), (right, margin), 1, thickness)
    elif mark.kind is MarkKind.LETTER:
        strokes[margin:-margin, margin:-margin] = _letter_strokes(pixels, mark)
    else:
        strokes[margin + 1 : -margin - 1, margin + 1 : -margin - 1] = 1
    return strokes


def _letter_strokes(pixels: Grey, mark: Mark) -> Grey:
    """Return the bright thin pixels of a letter. Its shape is not known in advance."""
    box = mark.box
    window = pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    kernel = np.ones((5, 5), np.uint8)
    thin = np.asarray(cv2.morphologyEx(window, cv2.MORPH_TOPHAT, kernel), np.uint8)
    strokes: Grey = (thin > STROKE_SHARE * thin.max()).astype(np.uint8)
    return strokes
