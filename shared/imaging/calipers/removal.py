"""Paint tissue over burnt-in marks."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.marks import Mark, MarkKind

Grey = NDArray[np.uint8]

WIDENED_PX = 2
"""Around a stroke: resizing and JPEG spread it and leave a dark rim."""
LENGTH_TO_STROKE = 14
"""How much longer a mark is than its strokes are wide."""
RADIUS_PX = 3.0
"""Neighbourhood that the painted tissue is taken from."""
STROKE_SHARE = 0.3
"""Of a letter's brightest thin pixel, what still belongs to its strokes."""
SURROUND_PX = 8


def remove_marks(pixels: Grey, marks: Iterable[Mark]) -> Grey:
    """A copy with the marks' own pixels painted over (Telea, J Graph Tools 9:23, 2004).

    Parameters
    ----------
    pixels : (height, width) uint8
    marks : in pixels of it; what lies outside is left out

    Returns
    -------
    (height, width) uint8; nothing changes farther than `WIDENED_PX` pixels from the box of a mark.
    """
    hidden = np.zeros(pixels.shape, np.uint8)
    for mark in marks:
        _hide(hidden, pixels, mark)
    cleaned = pixels.copy()
    if hidden.any():
        x, y, width, height = cv2.boundingRect(hidden)
        rows = slice(max(y - SURROUND_PX, 0), y + height + SURROUND_PX)
        columns = slice(max(x - SURROUND_PX, 0), x + width + SURROUND_PX)
        cleaned[rows, columns] = cv2.inpaint(
            pixels[rows, columns], hidden[rows, columns], RADIUS_PX, cv2.INPAINT_TELEA
        )
    return cleaned


def _hide(hidden: Grey, pixels: Grey, mark: Mark) -> None:
    """Add the mark's pixels to `hidden`."""
    box = mark.box
    wide = WIDENED_PX
    top = box.y - wide
    left = box.x - wide
    rows = slice(max(top, 0), max(box.y + box.height + wide, 0))
    columns = slice(max(left, 0), max(box.x + box.width + wide, 0))
    area = hidden[rows, columns]
    if not area.size:
        return
    element = np.ones((2 * wide + 1,) * 2, np.uint8)
    ink = np.asarray(cv2.dilate(_ink(pixels, mark), element), np.uint8)
    area |= ink[max(-top, 0) :, max(-left, 0) :][: area.shape[0], : area.shape[1]]


def _ink(pixels: Grey, mark: Mark) -> Grey:
    """The strokes within the mark's box and a rim of `WIDENED_PX`."""
    box = mark.box
    wide = WIDENED_PX
    ink = np.zeros((box.height + 2 * wide, box.width + 2 * wide), np.uint8)
    right = box.width - 1 + wide
    bottom = box.height - 1 + wide
    middle_x = (box.width - 1) // 2 + wide
    middle_y = (box.height - 1) // 2 + wide
    stroke = max(round(max(box.width, box.height) / LENGTH_TO_STROKE), 1)
    if mark.kind is MarkKind.PLUS:
        cv2.line(ink, (wide, middle_y), (right, middle_y), 1, stroke)
        cv2.line(ink, (middle_x, wide), (middle_x, bottom), 1, stroke)
    elif mark.kind is MarkKind.CROSS:
        cv2.line(ink, (wide, wide), (right, bottom), 1, stroke)
        cv2.line(ink, (wide, bottom), (right, wide), 1, stroke)
    elif mark.kind is MarkKind.LETTER:
        ink[wide:-wide, wide:-wide] = _letter(pixels, mark)
    else:
        ink[wide + 1 : -wide - 1, wide + 1 : -wide - 1] = 1
    return ink


def _letter(pixels: Grey, mark: Mark) -> Grey:
    """A letter's bright thin pixels: its shape is not known beforehand."""
    box = mark.box
    inside = pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    element = np.ones((5, 5), np.uint8)
    thin = np.asarray(cv2.morphologyEx(inside, cv2.MORPH_TOPHAT, element), np.uint8)
    strokes: Grey = (thin > STROKE_SHARE * thin.max()).astype(np.uint8)
    return strokes
