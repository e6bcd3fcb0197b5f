"""Find burnt-in caliper marks in an 8-bit grey image."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.caliper_labels import find_dots, find_letters
from shared.imaging.calipers.line_segments import Grey, find_crossings
from shared.imaging.calipers.marks import Mark, MarkKind
from shared.imaging.calipers.templates import RIM, fit_templates, top_hat
from shared.imaging.image import Box

MOST_PIXELS = 1_300_000
"""Larger images are looked at scaled down: marks of a phone's photograph of a screen are larger too."""
CLEAR = ((0.66, 34),)
"""Agreement with a drawn mark and contrast in grey levels; a mark meets one of the pairs. From 113 real marks."""
SMALL_HALF = 4
SMALL_CLEAR = ((0.68, 130), (0.72, 60), (0.80, 45))
"""Up to this half length four specks of speckle make a mark now and then, so more is asked."""
FAINT = ((0.62, 40),)
"""What is enough beside a clear mark of the same kind and size."""
ALONE = ((0.80, 60),)
"""What a mark needs that has no fellow; the other may be outside the crop."""
SPOKES = 0.5
"""Of the contrast, how far the arms stand above the gaps between them: a microcalcification is as bright all round."""
SPOKE_AT = 0.75
"""Where along an arm that is looked at."""
AXES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
DIAGONALS = np.array([(1, 1), (-1, -1), (1, -1), (-1, 1)])
MOST_ENDS = 12
"""More are letters of a screen full of text, not three nodules measured both ways."""
SIZE_RATIO = 1.45
APART_PX = 8


@dataclass(frozen=True)
class _Candidate:
    kind: MarkKind
    x: int
    y: int
    half: tuple[int, int]
    agreement: float
    contrast: int

    @property
    def mark(self) -> Mark:
        across, deep = self.half
        return Mark(
            self.kind,
            self.x,
            self.y,
            Box(self.x - across, self.y - deep, 2 * across + 1, 2 * deep + 1),
        )


def find_marks(pixels: Grey) -> tuple[Mark, ...]:
    """Caliper marks with the letters beside them and the dots between them.

    Parameters
    ----------
    pixels : (height, width) uint8 grey

    Returns
    -------
    Marks in pixels of the image, the ends of diameters first, from left to right.
    """
    height, width = pixels.shape
    scale = min((MOST_PIXELS / (height * width)) ** 0.5, 1.0)
    if scale < 1:
        resized = cv2.resize(
            pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        smaller = np.asarray(resized, np.uint8)
        return tuple(_scaled(mark, 1 / scale) for mark in _find(smaller))
    return _find(pixels)


def _find(pixels: Grey) -> tuple[Mark, ...]:
    fine = top_hat(pixels)
    likely = [
        each
        for each in _candidates(pixels, fine)
        if _clear(each) or _meets(each, FAINT)
    ]
    standing = _apart(
        [each for each in likely if _inside(pixels, each) and _has_spokes(pixels, each)]
    )
    found = sorted(_believed(standing), key=lambda each: (each.x, each.y))
    if len(found) > MOST_ENDS:
        return ()
    ends = [each.mark for each in found]
    contrasts = [each.contrast for each in found]
    return (*ends, *find_letters(fine, ends, contrasts), *find_dots(pixels, ends, contrasts))


def _candidates(pixels: Grey, fine: Grey) -> list[_Candidate]:
    found = []
    for kind, at in find_crossings(pixels).items():
        fits = fit_templates(fine, at.x, at.y, kind)
        rows = zip(
            fits.centre.tolist(),
            fits.half.tolist(),
            fits.agreement.tolist(),
            at.contrast.tolist(),
            strict=True,
        )
        found += [
            _Candidate(kind, x, y, tuple(half), *strength)
            for (x, y), half, *strength in rows
        ]
    return found


def _meets(each: _Candidate, bars: tuple[tuple[float, int], ...]) -> bool:
    return any(
        each.agreement >= agreement and each.contrast >= contrast
        for agreement, contrast in bars
    )


def _clear(each: _Candidate) -> bool:
    return _meets(each, SMALL_CLEAR if min(each.half) <= SMALL_HALF else CLEAR)


def _apart(candidates: list[_Candidate]) -> list[_Candidate]:
    """The better of candidates that stand for the same mark."""
    kept: list[_Candidate] = []
    for each in sorted(candidates, key=lambda each: -each.agreement):
        if all(
            max(abs(each.x - other.x), abs(each.y - other.y)) > APART_PX
            for other in kept
        ):
            kept.append(each)
    return kept


def _believed(candidates: list[_Candidate]) -> list[_Candidate]:
    """Clear marks that have a fellow or are clear enough alone, and the faint fellows of these."""
    clear = [each for each in candidates if _clear(each)]
    sure = [each for each in clear if _meets(each, ALONE) or _has_fellow(each, clear)]
    faint = [
        each for each in candidates if each not in sure and _has_fellow(each, sure)
    ]
    return sure + faint


def _has_fellow(each: _Candidate, among: list[_Candidate]) -> bool:
    return any(_fellows(each, other) for other in among if other is not each)


def _fellows(one: _Candidate, other: _Candidate) -> bool:
    sizes = zip(one.half, other.half, strict=True)
    return one.kind is other.kind and all(
        1 / SIZE_RATIO <= a / b <= SIZE_RATIO for a, b in sizes
    )


def _inside(pixels: Grey, each: _Candidate) -> bool:
    """Whether the mark is whole, unlike the ticks of a ruler along the image's edge."""
    height, width = map(int, pixels.shape)
    across, deep = (half + RIM for half in each.half)
    return across <= each.x < width - across and deep <= each.y < height - deep


def _has_spokes(pixels: Grey, each: _Candidate) -> bool:
    """Whether the arms are brighter than the gaps between them, as no round spot is."""
    straight = np.array([max(round(SPOKE_AT * half), 2) for half in each.half])
    slanted = np.maximum(np.rint(straight * np.sqrt(0.5)).astype(int), 2)
    on_axes = _mean_at(pixels, each, AXES * straight)
    on_diagonals = _mean_at(pixels, each, DIAGONALS * slanted)
    if each.kind is MarkKind.CROSS:
        on_axes = _mean_at(pixels, each, DIAGONALS * straight)
        on_diagonals = _mean_at(pixels, each, AXES * straight)
    return on_axes - on_diagonals >= SPOKES * each.contrast


def _mean_at(pixels: Grey, each: _Candidate, steps: NDArray[np.intp]) -> float:
    return float(pixels[each.y + steps[:, 1], each.x + steps[:, 0]].mean())


def _scaled(mark: Mark, by: float) -> Mark:
    box = mark.box
    left = int(np.floor(box.x * by))
    top = int(np.floor(box.y * by))
    right = int(np.ceil((box.x + box.width) * by))
    bottom = int(np.ceil((box.y + box.height) * by))
    return Mark(
        kind=mark.kind,
        x=(mark.x + 0.5) * by - 0.5,
        y=(mark.y + 0.5) * by - 0.5,
        box=Box(left, top, right - left, bottom - top),
    )
