"""What keeps caliper marks company: a letter or digit beside one, dots on the line between two."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, product

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.marks import Mark, MarkKind
from shared.imaging.image import Box

Grey = NDArray[np.uint8]

GLYPHS = "ABCD234"
HEIGHTS = (1.5, 1.8, 2.15)
"""Height of a letter in half lengths of its mark: measured 1.4 to 2.2."""
LOOKS_ALIKE = 0.6
STROKE_SHARE = 0.4
"""Correlation from which strokes are a glyph, and how bright they are against the mark's: both are drawn in one grey.

A 1 is a stroke as speckle makes many, so it is left where it is.
"""
REACH = 4.8
"""How far beside a mark its letter may reach, in half lengths of the mark."""
FINE = 96
"""Side that a glyph is drawn in before it is scaled."""
FAINTEST_INK = 128
LEAST_INK = 0.5
"""Bright pixels beside a mark, against its width and height, from which a letter is looked for at all."""
DOT_SHARE = 0.45
"""Of the marks' contrast, what a dot has at least; all are drawn in one grey."""
RIDGE = 12
RIDGE_SHARE = 0.7
FLANK_PX = 3
LEAST_WAY = 12
"""A dotted line: grey levels above both flanks `FLANK_PX` pixels aside, over that share of at least so many pixels."""
SPARSEST_PX = 8
"""Way for each dot below which a line counts as dotted throughout."""
CLEAR = 1.5
"""Half lengths around the ends of a line where no dot is looked for: there the marks themselves are."""


def find_letters(fine: Grey, ends: Sequence[Mark], contrasts: Sequence[int]) -> list[Mark]:
    """The glyph beside each end mark that has one. `fine` : (height, width) top-hat of the image."""
    blotted = fine.copy()
    for mark in ends:
        box = mark.box
        blotted[
            max(box.y, 0) : box.y + box.height, max(box.x, 0) : box.x + box.width
        ] = 0
    found: dict[Box, Mark] = {}
    for mark, contrast in zip(ends, contrasts, strict=True):
        if glyph := _glyph_beside(blotted, mark, STROKE_SHARE * contrast):
            found[glyph] = Mark(
                MarkKind.LETTER,
                glyph.x + (glyph.width - 1) / 2,
                glyph.y + (glyph.height - 1) / 2,
                glyph,
            )
    return list(found.values())


def _glyph_beside(fine: Grey, mark: Mark, least: float) -> Box | None:
    """Where the strokes around a mark look most like a glyph, if they do."""
    reach_x, reach_y = (
        round(REACH * side / 2) for side in (mark.box.width, mark.box.height)
    )
    left = max(round(mark.x) - reach_x, 0)
    top = max(round(mark.y) - reach_y, 0)
    window = fine[top : round(mark.y) + reach_y + 1, left : round(mark.x) + reach_x + 1]
    if (window >= least).sum() < LEAST_INK * (mark.box.width + mark.box.height):
        return None
    best = LOOKS_ALIKE
    place = None
    for glyph in _glyphs(mark.box.width // 2, mark.box.height // 2):
        height, width = glyph.shape
        if height > window.shape[0] or width > window.shape[1]:
            continue
        _, likeness, _, (x, y) = cv2.minMaxLoc(
            cv2.matchTemplate(window, glyph, cv2.TM_CCOEFF_NORMED)
        )
        strokes = window[y : y + height, x : x + width][glyph > FAINTEST_INK]
        if best < likeness < math.inf and strokes.mean() >= least:
            best = likeness
            place = Box(left + x, top + y, width, height)
    return place


@lru_cache(maxsize=256)
def _glyphs(across: int, deep: int) -> tuple[Grey, ...]:
    """Glyphs beside marks of these half lengths, each in a box of its own, a pixel of rim around the ink."""
    drawn = []
    for glyph, height in product(GLYPHS, HEIGHTS):
        ink = _drawn(glyph)
        tall = height * deep
        wide = tall * ink.shape[1] / ink.shape[0] * across / deep
        small = cv2.resize(
            ink,
            (max(round(wide), 3), max(round(tall), 3)),
            interpolation=cv2.INTER_AREA,
        )
        framed = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        drawn.append(np.asarray(framed, np.uint8))
    return tuple(drawn)


def _drawn(glyph: str) -> Grey:
    canvas = np.zeros((FINE, FINE), np.uint8)
    cv2.putText(
        canvas, glyph, (16, 76), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 255, 7, cv2.LINE_AA
    )
    x, y, width, height = cv2.boundingRect(canvas)
    return canvas[y : y + height, x : x + width]


def find_dots(pixels: Grey, ends: Sequence[Mark], contrasts: Sequence[int]) -> list[Mark]:
    """Specks on the lines between end marks of one kind; all of a line where it is dotted throughout."""
    if len(ends) < 2:
        return []
    specks = _specks(pixels)
    found: dict[tuple[int, int], None] = {}
    for (one, contrast), (other, least) in combinations(
        zip(ends, contrasts, strict=True), 2
    ):
        if one.kind is other.kind:
            found |= dict.fromkeys(
                _drawn_between(
                    pixels, specks, one, other, DOT_SHARE * min(contrast, least)
                )
            )
    return [Mark(MarkKind.DOT, x, y, Box(x - 1, y - 1, 3, 3)) for x, y in found]


def _drawn_between(
    pixels: Grey, specks: Grey, one: Mark, other: Mark, least: float
) -> list[tuple[int, int]]:
    """Points of the line between two marks; of one that is dotted throughout, up to the marks' centres."""
    way = _way(one, other, CLEAR * max(*_sides(one), *_sides(other)) / 2)
    whole = _way(one, other, 0.0)
    if close := _dotted(pixels, way):
        return close + [(round(x), round(y)) for x, y in whole.tolist()]
    single = _single(specks, way, least)
    return (
        _single(specks, whole, least)
        if len(single) * SPARSEST_PX >= len(way) > 0
        else single
    )


def _specks(pixels: Grey) -> Grey:
    """How far a pixel stands above all that lies two pixels away."""
    ring = np.ones((5, 5), np.uint8)
    ring[1:4, 1:4] = 0
    return np.asarray(cv2.subtract(pixels, cv2.dilate(pixels, ring)), np.uint8)


def _sides(mark: Mark) -> tuple[int, int]:
    return mark.box.width, mark.box.height


def _way(one: Mark, other: Mark, clear_px: float) -> NDArray[np.float64]:
    """Points (N, 2) a pixel apart from one mark to the other, those within `clear_px` of a mark left out."""
    start = np.array([one.x, one.y])
    end = np.array([other.x, other.y])
    length = math.dist(start, end)
    steps = np.arange(clear_px, length - clear_px, 1.0)[:, None]
    points: NDArray[np.float64] = start + steps * (end - start) / max(length, 1.0)
    return points


def _dotted(pixels: Grey, way: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Points of a line that stands above its flanks over most of its way; none where it does not."""
    if len(way) < LEAST_WAY:
        return []
    along = (way[-1] - way[0]) / math.dist(way[-1], way[0])
    aside = np.array([-along[1], along[0]])
    shifts = way[:, None] + np.arange(-FLANK_PX, FLANK_PX + 1)[:, None] * aside
    x, y = (
        np.clip(np.rint(shifts[..., axis]).astype(int), 0, pixels.shape[1 - axis] - 1)
        for axis in (0, 1)
    )
    across = pixels[y, x].astype(int)
    near = across[:, FLANK_PX - 1 : FLANK_PX + 2]
    flanks = across[:, [0, -1]].max(1)
    if (near.max(1) - flanks >= RIDGE).mean() < RIDGE_SHARE:
        return []
    highest = FLANK_PX - 1 + near.argmax(1)
    order = np.arange(len(way))
    return list(
        zip(x[order, highest].tolist(), y[order, highest].tolist(), strict=True)
    )


def _single(
    specks: Grey, way: NDArray[np.float64], least: float
) -> list[tuple[int, int]]:
    """Specks within a pixel of the line."""
    height, width = specks.shape
    columns, rows = (
        np.clip(np.rint(way[:, axis]).astype(int), 1, size - 2)
        for axis, size in ((0, width), (1, height))
    )
    beside = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    near = np.stack([specks[rows + dy, columns + dx] for dx, dy in beside], -1)
    hits = np.flatnonzero(near.max(-1) >= least)
    return [
        (int(columns[hit] + beside[place][0]), int(rows[hit] + beside[place][1]))
        for hit, place in zip(hits, near[hits].argmax(-1), strict=True)
    ]
