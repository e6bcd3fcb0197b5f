"""Finds the labels of caliper marks: a letter or digit beside a mark, dots between two marks."""

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
Path = NDArray[np.float64]
"""(N, 2): points x, y on a line, one pixel apart."""
Pixel = tuple[int, int]
"""x and y."""

GLYPHS = "ABCD234"
GLYPH_HEIGHTS = (1.5, 1.8, 2.15)
"""Height of a letter in half lengths of its mark. The measured heights are 1.4 to 2.2."""
MIN_CORRELATION = 0.6
MIN_STROKE_SHARE = 0.4
"""Minimum correlation with a glyph, and minimum brightness of its strokes.

The brightness is a share of the mark's contrast, because both are drawn in one grey. The digit 1 is
not in `GLYPHS`, because speckle often looks like a single stroke. Therefore it is not removed.
"""
SEARCH_REACH = 4.8
"""How far beside a mark its letter may be, in half lengths of the mark."""
GLYPH_CANVAS_PX = 96
"""Side of the image in which a glyph is drawn before it is scaled."""
MIN_INK_GREY = 128
MIN_INK_DENSITY = 0.5
"""Bright pixels beside a mark, divided by its width plus height.

With fewer pixels no letter is searched.
"""
MIN_DOT_SHARE = 0.45
"""Minimum contrast of a dot as a share of the marks' contrast. All are drawn in one grey."""
MIN_RIDGE = 12
MIN_RIDGE_SHARE = 0.7
FLANK_PX = 3
MIN_PATH_PX = 12
"""A continuous dotted line.

It exceeds both flanks, `FLANK_PX` pixels to the side, by `MIN_RIDGE` grey levels over
`MIN_RIDGE_SHARE` of a path of at least `MIN_PATH_PX` pixels.
"""
MAX_DOT_SPACING_PX = 8
"""Path per dot up to which a line is dotted from end to end."""
CLEARANCE = 1.5
"""Distance from the ends of a line, in half lengths, in which no dot is searched.

The marks themselves are there.
"""


def find_letters(
    thin: Grey, marks: Sequence[Mark], contrasts: Sequence[int]
) -> list[Mark]:
    """Find the letters beside end marks.

    Parameters
    ----------
    thin : (height, width) top-hat of the image
    marks : the end marks
    contrasts : the contrast of each mark in grey levels
    """
    without_marks = thin.copy()
    for mark in marks:
        box = mark.box
        rows = slice(max(box.y, 0), box.y + box.height)
        columns = slice(max(box.x, 0), box.x + box.width)
        without_marks[rows, columns] = 0
    letters: dict[Box, Mark] = {}
    for mark, contrast in zip(marks, contrasts, strict=True):
        glyph_box = _find_glyph(without_marks, mark, MIN_STROKE_SHARE * contrast)
        if glyph_box is not None:
            letters[glyph_box] = Mark(
                kind=MarkKind.LETTER,
                x=glyph_box.x + (glyph_box.width - 1) / 2,
                y=glyph_box.y + (glyph_box.height - 1) / 2,
                box=glyph_box,
            )
    return list(letters.values())


def _find_glyph(thin: Grey, mark: Mark, min_grey: float) -> Box | None:
    """Find the box of the glyph that best fits the strokes around a mark, or None if none fits."""
    reach_x = round(SEARCH_REACH * mark.box.width / 2)
    reach_y = round(SEARCH_REACH * mark.box.height / 2)
    left = max(round(mark.x) - reach_x, 0)
    top = max(round(mark.y) - reach_y, 0)
    bottom = round(mark.y) + reach_y + 1
    right = round(mark.x) + reach_x + 1
    window = thin[top:bottom, left:right]
    ink_px = (window >= min_grey).sum()
    if ink_px < MIN_INK_DENSITY * (mark.box.width + mark.box.height):
        return None
    best_correlation = MIN_CORRELATION
    best_box = None
    for glyph in _glyphs(mark.box.width // 2, mark.box.height // 2):
        height, width = glyph.shape
        if height > window.shape[0] or width > window.shape[1]:
            continue
        matches = cv2.matchTemplate(window, glyph, cv2.TM_CCOEFF_NORMED)
        _, correlation, _, (x, y) = cv2.minMaxLoc(matches)
        strokes = window[y : y + height, x : x + width][glyph > MIN_INK_GREY]
        is_better = best_correlation < correlation < math.inf
        if is_better and strokes.mean() >= min_grey:
            best_correlation = correlation
            best_box = Box(x=left + x, y=top + y, width=width, height=height)
    return best_box


@lru_cache(maxsize=256)
def _glyphs(half_width: int, half_height: int) -> tuple[Grey, ...]:
    """Return the glyphs for marks of this size, each with a rim of one pixel around its ink."""
    glyphs: list[Grey] = []
    for character, relative_height in product(GLYPHS, GLYPH_HEIGHTS):
        ink = _draw_glyph(character)
        height = relative_height * half_height
        width = height * ink.shape[1] / ink.shape[0] * half_width / half_height
        size = (max(round(width), 3), max(round(height), 3))
        scaled = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
        framed = cv2.copyMakeBorder(
            scaled,
            top=1,
            bottom=1,
            left=1,
            right=1,
            borderType=cv2.BORDER_CONSTANT,
            value=0,
        )
        glyphs.append(np.asarray(framed, np.uint8))
    return tuple(glyphs)


def _draw_glyph(character: str) -> Grey:
    canvas = np.zeros((GLYPH_CANVAS_PX, GLYPH_CANVAS_PX), np.uint8)
    cv2.putText(
        canvas,
        character,
        org=(16, 76),
        fontFace=cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=2.4,
        color=255,
        thickness=7,
        lineType=cv2.LINE_AA,
    )
    x, y, width, height = cv2.boundingRect(canvas)
    return canvas[y : y + height, x : x + width]


def find_dots(
    pixels: Grey, marks: Sequence[Mark], contrasts: Sequence[int]
) -> list[Mark]:
    """Find the dots on the lines between end marks of one kind.

    If a line is dotted from end to end, all of its pixels are returned.

    Parameters
    ----------
    pixels : (height, width) uint8 grey
    marks : the end marks
    contrasts : the contrast of each mark in grey levels
    """
    if len(marks) < 2:
        return []
    specks = _specks(pixels)
    dots: dict[Pixel, None] = {}
    pairs = combinations(zip(marks, contrasts, strict=True), 2)
    for (first, first_contrast), (second, second_contrast) in pairs:
        if first.kind is not second.kind:
            continue
        min_grey = MIN_DOT_SHARE * min(first_contrast, second_contrast)
        pixels_on_line = _dots_between(
            pixels, specks, first=first, second=second, min_grey=min_grey
        )
        dots |= dict.fromkeys(pixels_on_line)
    return [
        Mark(kind=MarkKind.DOT, x=x, y=y, box=Box(x=x - 1, y=y - 1, width=3, height=3))
        for x, y in dots
    ]


def _dots_between(
    pixels: Grey, specks: Grey, *, first: Mark, second: Mark, min_grey: float
) -> list[Pixel]:
    """Return the dots on the line between two marks.

    If the line is dotted from end to end, it is followed up to the centres of the marks.
    """
    longest_side = max(
        first.box.width, first.box.height, second.box.width, second.box.height
    )
    inner_path = _path(first, second, CLEARANCE * longest_side / 2)
    full_path = _path(first, second, 0.0)
    ridge = _ridge_pixels(pixels, inner_path)
    if ridge:
        return ridge + [(round(x), round(y)) for x, y in full_path.tolist()]
    dots = _specks_along(specks, inner_path, min_grey)
    if len(dots) * MAX_DOT_SPACING_PX >= len(inner_path) > 0:
        return _specks_along(specks, full_path, min_grey)
    return dots


def _specks(pixels: Grey) -> Grey:
    """Return how much a pixel exceeds all pixels at a distance of two pixels."""
    ring = np.ones((5, 5), np.uint8)
    ring[1:4, 1:4] = 0
    return np.asarray(cv2.subtract(pixels, cv2.dilate(pixels, ring)), np.uint8)


def _path(first: Mark, second: Mark, clearance_px: float) -> Path:
    """Return the points between two marks that are more than `clearance_px` away from both."""
    start = np.array([first.x, first.y])
    end = np.array([second.x, second.y])
    length = math.dist(start, end)
    steps = np.arange(clearance_px, length - clearance_px, 1.0)[:, None]
    points: Path = start + steps * (end - start) / max(length, 1.0)
    return points


def _ridge_pixels(pixels: Grey, path: Path) -> list[Pixel]:
    """Return the pixels of a line that exceeds its flanks over most of the path.

    The result is empty if the line does not.
    """
    if len(path) < MIN_PATH_PX:
        return []
    height, width = pixels.shape
    direction = (path[-1] - path[0]) / math.dist(path[-1], path[0])
    normal = np.array([-direction[1], direction[0]])
    offsets = np.arange(-FLANK_PX, FLANK_PX + 1)[:, None] * normal
    points = path[:, None] + offsets
    x = np.clip(np.rint(points[..., 0]).astype(int), 0, width - 1)
    y = np.clip(np.rint(points[..., 1]).astype(int), 0, height - 1)
    profiles = pixels[y, x].astype(int)
    middle = profiles[:, FLANK_PX - 1 : FLANK_PX + 2]
    flanks = profiles[:, [0, -1]].max(1)
    is_ridge = middle.max(1) - flanks >= MIN_RIDGE
    if is_ridge.mean() < MIN_RIDGE_SHARE:
        return []
    brightest = FLANK_PX - 1 + middle.argmax(1)
    order = np.arange(len(path))
    ridge_x = x[order, brightest].tolist()
    ridge_y = y[order, brightest].tolist()
    return list(zip(ridge_x, ridge_y, strict=True))


def _specks_along(specks: Grey, path: Path, min_grey: float) -> list[Pixel]:
    """Return the specks within a pixel of the path."""
    height, width = specks.shape
    columns = np.clip(np.rint(path[:, 0]).astype(int), 1, width - 2)
    rows = np.clip(np.rint(path[:, 1]).astype(int), 1, height - 2)
    shifts = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    nearby = np.stack([specks[rows + dy, columns + dx] for dx, dy in shifts], -1)
    hits = np.flatnonzero(nearby.max(-1) >= min_grey)
    brightest = nearby[hits].argmax(-1)
    pixels: list[Pixel] = []
    for hit, index in zip(hits, brightest, strict=True):
        dx, dy = shifts[index]
        pixels.append((int(columns[hit] + dx), int(rows[hit] + dy)))
    return pixels
