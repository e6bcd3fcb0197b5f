"""Finds burnt-in caliper marks in an 8-bit grey image."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.caliper_labels import find_dots, find_letters
from shared.imaging.calipers.line_segments import Grey, find_crossings
from shared.imaging.calipers.marks import Mark, MarkKind
from shared.imaging.calipers.templates import RIM_PX, fit_templates, top_hat
from shared.imaging.image import Box

MAX_PIXELS = 1_300_000
"""Larger images are searched at a smaller scale.

Marks in a phone's photo of a screen are larger as well.
"""
MinScores = tuple[tuple[float, int], ...]
"""Pairs of correlation with a template and contrast in grey levels.

A mark must reach both values of at least one pair.
"""
CLEAR_SCORES: MinScores = ((0.66, 34),)
"""Scores of a clear mark. From 113 real marks."""
SMALL_HALF_PX = 4
CLEAR_SCORES_SMALL: MinScores = ((0.68, 130), (0.72, 60), (0.80, 45))
"""Scores of a clear mark up to `SMALL_HALF_PX`.

They are higher than `CLEAR_SCORES`, because four specks of speckle can look like a small mark.
"""
FAINT_SCORES: MinScores = ((0.62, 40),)
"""Scores that are enough beside a clear mark of the same kind and size."""
SINGLE_SCORES: MinScores = ((0.80, 60),)
"""Scores of a mark without a partner. The partner may be outside the crop."""
MIN_SPOKE_CONTRAST = 0.5
"""How much the arms exceed the gaps between them, as a share of the contrast.

A microcalcification is equally bright in all directions.
"""
SPOKE_POSITION = 0.75
"""Position along an arm at which the arms and gaps are compared."""
AXES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
DIAGONALS = np.array([(1, 1), (-1, -1), (1, -1), (-1, 1)])
MAX_END_MARKS = 12
"""The number of end marks of three nodules with two diameters each.

More candidates are letters of a screen full of text.
"""
MAX_SIZE_RATIO = 1.45
MIN_DISTANCE_PX = 8


@dataclass(frozen=True)
class _Candidate:
    kind: MarkKind
    x: int
    y: int
    half_size: tuple[int, int]
    correlation: float
    contrast: int

    @property
    def mark(self) -> Mark:
        half_width, half_height = self.half_size
        box = Box(
            x=self.x - half_width,
            y=self.y - half_height,
            width=2 * half_width + 1,
            height=2 * half_height + 1,
        )
        return Mark(kind=self.kind, x=self.x, y=self.y, box=box)

    @property
    def is_clear(self) -> bool:
        is_small = min(self.half_size) <= SMALL_HALF_PX
        return self.reaches(CLEAR_SCORES_SMALL if is_small else CLEAR_SCORES)

    def reaches(self, min_scores: MinScores) -> bool:
        """Return whether correlation and contrast reach one of the pairs."""
        return any(
            self.correlation >= min_correlation and self.contrast >= min_contrast
            for min_correlation, min_contrast in min_scores
        )


def find_marks(pixels: Grey) -> tuple[Mark, ...]:
    """Find the caliper marks, with the letters beside them and the dots between them.

    Parameters
    ----------
    pixels : (height, width) uint8 grey

    Returns
    -------
    Marks in pixels of the image: first the ends of diameters, from left to right.
    """
    height, width = pixels.shape
    scale = min((MAX_PIXELS / (height * width)) ** 0.5, 1.0)
    if scale == 1:
        return _find_marks(pixels)
    resized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    marks = _find_marks(np.asarray(resized, np.uint8))
    return tuple(_scaled_mark(mark, 1 / scale) for mark in marks)


def _find_marks(pixels: Grey) -> tuple[Mark, ...]:
    thin = top_hat(pixels)
    accepted: list[_Candidate] = []
    for candidate in _candidates(pixels, thin):
        if not candidate.is_clear and not candidate.reaches(FAINT_SCORES):
            continue
        if _is_inside(pixels, candidate) and _has_spokes(pixels, candidate):
            accepted.append(candidate)
    confirmed = _confirmed_candidates(_without_duplicates(accepted))
    ends = sorted(confirmed, key=lambda candidate: (candidate.x, candidate.y))
    if len(ends) > MAX_END_MARKS:
        return ()
    marks = [candidate.mark for candidate in ends]
    contrasts = [candidate.contrast for candidate in ends]
    letters = find_letters(thin, marks, contrasts)
    dots = find_dots(pixels, marks, contrasts)
    return (*marks, *letters, *dots)


def _candidates(pixels: Grey, thin: Grey) -> list[_Candidate]:
    candidates: list[_Candidate] = []
    for kind, crossings in find_crossings(pixels).items():
        fits = fit_templates(thin, crossings.x, crossings.y, kind)
        rows = zip(
            fits.centre.tolist(),
            fits.half_size.tolist(),
            fits.correlation.tolist(),
            crossings.contrast.tolist(),
            strict=True,
        )
        for (x, y), half_size, correlation, contrast in rows:
            candidate = _Candidate(
                kind=kind,
                x=x,
                y=y,
                half_size=tuple(half_size),
                correlation=correlation,
                contrast=contrast,
            )
            candidates.append(candidate)
    return candidates


def _without_duplicates(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Keep the best of the candidates that represent the same mark."""
    unique: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda item: -item.correlation):
        if all(_distance_px(candidate, mark) > MIN_DISTANCE_PX for mark in unique):
            unique.append(candidate)
    return unique


def _distance_px(first: _Candidate, second: _Candidate) -> int:
    return max(abs(first.x - second.x), abs(first.y - second.y))


def _confirmed_candidates(candidates: list[_Candidate]) -> list[_Candidate]:
    """Return clear marks with a partner or a high score, and the faint partners of clear marks."""
    clear = [candidate for candidate in candidates if candidate.is_clear]
    confirmed: list[_Candidate] = []
    for candidate in clear:
        if candidate.reaches(SINGLE_SCORES) or _has_partner(candidate, clear):
            confirmed.append(candidate)
    faint: list[_Candidate] = []
    for candidate in candidates:
        if candidate not in confirmed and _has_partner(candidate, confirmed):
            faint.append(candidate)
    return confirmed + faint


def _has_partner(candidate: _Candidate, marks: list[_Candidate]) -> bool:
    """Return whether another mark has the same kind and about the same size."""
    return any(_are_alike(candidate, mark) for mark in marks if mark is not candidate)


def _are_alike(first: _Candidate, second: _Candidate) -> bool:
    if first.kind is not second.kind:
        return False
    return all(
        1 / MAX_SIZE_RATIO <= a / b <= MAX_SIZE_RATIO
        for a, b in zip(first.half_size, second.half_size, strict=True)
    )


def _is_inside(pixels: Grey, candidate: _Candidate) -> bool:
    """Return whether the whole mark is inside the image.

    The ticks of a ruler along the edge are not.
    """
    height, width = map(int, pixels.shape)
    half_width = candidate.half_size[0] + RIM_PX
    half_height = candidate.half_size[1] + RIM_PX
    inside_x = half_width <= candidate.x < width - half_width
    inside_y = half_height <= candidate.y < height - half_height
    return inside_x and inside_y


def _has_spokes(pixels: Grey, candidate: _Candidate) -> bool:
    """Return whether the arms are brighter than the gaps between them, unlike a round spot."""
    radius = np.array(
        [max(round(SPOKE_POSITION * half), 2) for half in candidate.half_size]
    )
    if candidate.kind is MarkKind.CROSS:
        arms = _mean_grey(pixels, candidate, DIAGONALS * radius)
        gaps = _mean_grey(pixels, candidate, AXES * radius)
    else:
        diagonal = np.rint(radius * np.sqrt(0.5)).astype(int)
        arms = _mean_grey(pixels, candidate, AXES * radius)
        gaps = _mean_grey(pixels, candidate, DIAGONALS * np.maximum(diagonal, 2))
    return arms - gaps >= MIN_SPOKE_CONTRAST * candidate.contrast


def _mean_grey(pixels: Grey, candidate: _Candidate, steps: NDArray[np.intp]) -> float:
    """Return the mean grey at steps (N, 2) in x and y from the centre of a candidate."""
    values = pixels[candidate.y + steps[:, 1], candidate.x + steps[:, 0]]
    return float(values.mean())


def _scaled_mark(mark: Mark, factor: float) -> Mark:
    box = mark.box
    left = int(np.floor(box.x * factor))
    top = int(np.floor(box.y * factor))
    right = int(np.ceil((box.x + box.width) * factor))
    bottom = int(np.ceil((box.y + box.height) * factor))
    return Mark(
        kind=mark.kind,
        x=(mark.x + 0.5) * factor - 0.5,
        y=(mark.y + 0.5) * factor - 0.5,
        box=Box(x=left, y=top, width=right - left, height=bottom - top),
    )
